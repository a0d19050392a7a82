// A server that does nothing but send pods, to measure clients: GET /api/v1/pods as a list, a watch or a streaming list,
// protobuf or JSON, over TLS with HTTP/2 or HTTP/1.1; POST /control/churn?events=M sends M changes on the open watches
// as fast as they are read, then one new pod with the label "sentinel".
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

type server struct {
	count   int
	version int64

	lock    sync.Mutex
	watches map[chan []int]bool // how many events each is to send
}

func main() {
	count := flag.Int("n", 10000, "pods")
	address := flag.String("listen", "127.0.0.1:0", "where to listen")
	ca := flag.String("write-ca", "ca.pem", "where to write the certificate that clients are to trust")
	flag.Parse()
	certificate := selfSigned(*ca)
	s := &server{count: *count, version: int64(*count) + 10, watches: map[chan []int]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v1/pods", s.pods)
	mux.HandleFunc("/control/churn", s.churn)
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	web := &http.Server{Handler: mux, TLSConfig: certificate}
	fmt.Printf("https://%s\n", listener.Addr())
	log.Fatal(web.ServeTLS(listener, "", ""))
}

func (s *server) pods(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	proto := strings.Contains(r.Header.Get("Accept"), "application/vnd.kubernetes.protobuf")
	f := form{proto: proto, metadata: strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadata")}
	if watch := query.Get("watch"); watch == "true" || watch == "1" {
		s.watch(w, r, f, query.Get("sendInitialEvents") == "true")
		return
	}
	s.list(w, f)
}

// form is how a client wants its objects.
type form struct{ proto, metadata bool }

type object interface {
	runtime.Object
	Marshal() ([]byte, error)
}

func (f form) of(pod *corev1.Pod) object {
	if !f.metadata {
		return pod
	}
	return &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{Kind: "PartialObjectMetadata", APIVersion: "meta.k8s.io/v1"},
		ObjectMeta: pod.ObjectMeta,
	}
}

func (f form) marshal(number int, version int64) []byte {
	bytes, _ := f.of(pod(number, version)).Marshal()
	return bytes
}

// list writes item by item, so that the server's memory does not limit the list.
func (s *server) list(w http.ResponseWriter, f form) {
	list := runtime.TypeMeta{APIVersion: "v1", Kind: "PodList"}
	if f.metadata {
		list = runtime.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "PartialObjectMetadataList"}
	}
	version := fmt.Sprint(s.version)
	if !f.proto {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"kind":%q,"apiVersion":%q,"metadata":{"resourceVersion":%q},"items":[`, list.Kind, list.APIVersion, version)
		for number := range s.count {
			if number > 0 {
				w.Write([]byte{','})
			}
			text, _ := json.Marshal(f.of(pod(number, int64(number)+1)))
			w.Write(text)
		}
		w.Write([]byte("]}"))
		return
	}
	w.Header().Set("Content-Type", "application/vnd.kubernetes.protobuf")
	meta, _ := (&metav1.ListMeta{ResourceVersion: version}).Marshal()
	body := make([]byte, 0, 1<<20)
	body = field(body, 1, meta)
	length := uint64(len(body))
	for number := range s.count {
		length += uint64(len(field(nil, 2, f.marshal(number, int64(number)+1))))
	}
	// The envelope: type, and the list as its raw bytes.
	kind, _ := list.Marshal()
	head := field([]byte("k8s\x00"), 1, kind)
	head = binary.AppendUvarint(append(head, 2<<3|2), length)
	w.Write(head)
	for number := range s.count {
		body = field(body, 2, f.marshal(number, int64(number)+1))
		if len(body) > 256<<10 {
			w.Write(body)
			body = body[:0]
		}
	}
	// The envelope's empty content encoding and type.
	w.Write(append(body, 3<<3|2, 0, 4<<3|2, 0))
}

func field(to []byte, number int, value []byte) []byte {
	to = append(to, byte(number<<3|2))
	to = binary.AppendUvarint(to, uint64(len(value)))
	return append(to, value...)
}

var codec = protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)

// event is one frame of a watch.
func event(f form, kind string, pod *corev1.Pod) []byte {
	object := f.of(pod)
	var encoded bytes.Buffer
	if !f.proto {
		text, _ := json.Marshal(object)
		fmt.Fprintf(&encoded, `{"type":%q,"object":%s}`+"\n", kind, text)
		return encoded.Bytes()
	}
	if err := codec.Encode(object, &encoded); err != nil {
		log.Fatal(err)
	}
	frame, _ := (&metav1.WatchEvent{Type: kind, Object: runtime.RawExtension{Raw: encoded.Bytes()}}).Marshal()
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...)
}

func (s *server) watch(w http.ResponseWriter, r *http.Request, f form, initial bool) {
	w.Header().Set("Content-Type", "application/json")
	if f.proto {
		w.Header().Set("Content-Type", "application/vnd.kubernetes.protobuf;stream=watch")
	}
	orders := make(chan []int, 1)
	s.lock.Lock()
	s.watches[orders] = true
	s.lock.Unlock()
	defer func() {
		s.lock.Lock()
		delete(s.watches, orders)
		s.lock.Unlock()
	}()
	flush := w.(http.Flusher).Flush
	flush()
	var pending []byte
	send := func(frame []byte, now bool) bool {
		pending = append(pending, frame...)
		if now || len(pending) > 32<<10 {
			if _, err := w.Write(pending); err != nil {
				return false
			}
			flush()
			pending = pending[:0]
		}
		return true
	}
	if initial {
		for number := range s.count {
			if !send(event(f, "ADDED", pod(number, int64(number)+1)), false) {
				return
			}
		}
		bookmark := &corev1.Pod{TypeMeta: metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"}, ObjectMeta: metav1.ObjectMeta{
			ResourceVersion: fmt.Sprint(s.version), Annotations: map[string]string{"k8s.io/initial-events-end": "true"}}}
		send(event(f, "BOOKMARK", bookmark), true)
	}
	version := s.version
	for {
		select {
		case <-r.Context().Done():
			return
		case order := <-orders:
			for number := range order[0] {
				version++
				if !send(event(f, "MODIFIED", pod(number%s.count, version)), false) {
					return
				}
			}
			last := pod(s.count, version+1)
			last.Labels["sentinel"] = "true"
			send(event(f, "ADDED", last), true)
		}
	}
}

func (s *server) churn(w http.ResponseWriter, r *http.Request) {
	var events int
	if _, err := fmt.Sscan(r.URL.Query().Get("events"), &events); err != nil || r.Method != http.MethodPost {
		http.Error(w, "POST /control/churn?events=M", http.StatusBadRequest)
		return
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	for orders := range s.watches {
		orders <- []int{events}
	}
	fmt.Fprintf(w, "%d watches\n", len(s.watches))
}
