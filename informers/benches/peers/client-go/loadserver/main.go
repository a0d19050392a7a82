// A server that does nothing but send pods, to measure clients: GET /api/v1/pods as a list, a watch or a streaming list,
// protobuf or JSON, over TLS with HTTP/2 or HTTP/1.1; POST /control/churn?events=M sends M changes on the open watches
// as fast as they are read, then one new pod with the label "sentinel".
package main

import (
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
)

type server struct {
	count   int
	version int64

	encodings [4]encoded
	lock      sync.Mutex
	watches   map[chan int]bool // how many events each is to send
}

func main() {
	count := flag.Int("n", 10000, "pods")
	address := flag.String("listen", "127.0.0.1:0", "where to listen")
	ca := flag.String("write-ca", "ca.pem", "where to write the certificate that clients are to trust")
	flag.Parse()
	certificate := selfSigned(*ca)
	s := &server{count: *count, version: firstVersion + int64(*count), watches: map[chan int]bool{}}
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

// list sends what was encoded before, so that the server's pace does not limit the client's, item by item as
// kube-apiserver does.
func (s *server) list(w http.ResponseWriter, f form) {
	list := runtime.TypeMeta{APIVersion: "v1", Kind: "PodList"}
	if f.metadata {
		list = runtime.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "PartialObjectMetadataList"}
	}
	objects := s.encoded(f).objects
	version := fmt.Sprint(s.version)
	if !f.proto {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"kind":%q,"apiVersion":%q,"metadata":{"resourceVersion":%q},"items":[`, list.Kind, list.APIVersion, version)
		for number, object := range objects {
			if number > 0 {
				w.Write([]byte{','})
			}
			w.Write(object.bytes)
		}
		w.Write([]byte("]}"))
		return
	}
	w.Header().Set("Content-Type", "application/vnd.kubernetes.protobuf")
	meta, _ := (&metav1.ListMeta{ResourceVersion: version}).Marshal()
	meta = field(nil, 1, meta)
	length := len(meta)
	for _, object := range objects {
		length += len(begin(nil, 2, len(object.bytes))) + len(object.bytes)
	}
	// The envelope: type, and the list as its raw bytes.
	kind, _ := list.Marshal()
	w.Write(begin(field([]byte("k8s\x00"), 1, kind), 2, length))
	w.Write(meta)
	for _, object := range objects {
		w.Write(begin(nil, 2, len(object.bytes)))
		w.Write(object.bytes)
	}
	// The envelope's empty content encoding and type.
	w.Write([]byte{3<<3 | 2, 0, 4<<3 | 2, 0})
}

func (s *server) watch(w http.ResponseWriter, r *http.Request, f form, initial bool) {
	w.Header().Set("Content-Type", "application/json")
	if f.proto {
		w.Header().Set("Content-Type", "application/vnd.kubernetes.protobuf;stream=watch")
	}
	objects := s.encoded(f).objects
	orders := make(chan int, 1)
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
	// As kube-apiserver does: one write for an event and its length, and a flush where nothing is left to send.
	var frame []byte
	send := func(object encodedObject, kind string, version int64) bool {
		frame = object.appendEvent(frame[:0], f, kind, version)
		if f.proto {
			w.Write(frame[:4])
			frame = frame[4:]
		}
		_, err := w.Write(frame)
		return err == nil
	}
	if initial {
		for _, object := range objects {
			if !send(object, "ADDED", 0) {
				return
			}
		}
		bookmark := &corev1.Pod{TypeMeta: metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"}, ObjectMeta: metav1.ObjectMeta{
			ResourceVersion: fmt.Sprint(s.version), Annotations: map[string]string{"k8s.io/initial-events-end": "true"}}}
		send(f.encode(bookmark), "BOOKMARK", 0)
		flush()
	}
	version := s.version
	for {
		select {
		case <-r.Context().Done():
			return
		case events := <-orders:
			for number := range events {
				version++
				if !send(objects[number%s.count], "MODIFIED", version) {
					return
				}
			}
			last := pod(s.count, version+1)
			last.Labels["sentinel"] = "true"
			send(f.encode(last), "ADDED", 0)
			flush()
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
		orders <- events
	}
	fmt.Fprintf(w, "%d watches\n", len(s.watches))
}
