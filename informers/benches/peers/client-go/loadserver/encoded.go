package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log"
	"runtime"
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
)

// firstVersion is the version before that of the first pod. All versions have as many digits, so that one can take the
// place of another.
const firstVersion = 1000000000

// encoded is every pod in one form, made when it is first asked for.
type encoded struct {
	once    sync.Once
	objects []encodedObject
}

// encodedObject is a pod, and where in it the version is.
type encodedObject struct {
	bytes   []byte
	version int
}

func (s *server) encoded(f form) *encoded {
	e := &s.encodings[f.index()]
	e.once.Do(func() {
		e.objects = make([]encodedObject, s.count)
		var workers sync.WaitGroup
		for first := range runtime.NumCPU() {
			workers.Go(func() {
				for number := first; number < s.count; number += runtime.NumCPU() {
					e.objects[number] = f.encode(pod(number, firstVersion+int64(number)))
				}
			})
		}
		workers.Wait()
	})
	return e
}

func (f form) index() (index int) {
	if f.proto {
		index |= 1
	}
	if f.metadata {
		index |= 2
	}
	return index
}

type object interface {
	k8sruntime.Object
	Marshal() ([]byte, error)
}

func (f form) encode(pod *corev1.Pod) encodedObject {
	var object object = pod
	if f.metadata {
		object = &metav1.PartialObjectMetadata{
			TypeMeta:   metav1.TypeMeta{Kind: "PartialObjectMetadata", APIVersion: "meta.k8s.io/v1"},
			ObjectMeta: pod.ObjectMeta,
		}
	}
	marshal := object.Marshal
	if !f.proto {
		marshal = func() ([]byte, error) { return json.Marshal(object) }
	}
	text, err := marshal()
	if err != nil {
		log.Fatal(err)
	}
	return encodedObject{text, bytes.Index(text, []byte(pod.ResourceVersion))}
}

// appendEvent appends one frame of a watch, with another version of the object where one is given.
func (o encodedObject) appendEvent(to []byte, f form, kind string, version int64) []byte {
	if !f.proto {
		to = fmt.Appendf(to, `{"type":%q,"object":`, kind)
		return append(o.append(to, version), '}', '\n')
	}
	typeMeta := k8sruntime.TypeMeta{APIVersion: "v1", Kind: "Pod"}
	if f.metadata {
		typeMeta = k8sruntime.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "PartialObjectMetadata"}
	}
	described, _ := typeMeta.Marshal()
	// From the inside out: the envelope, the RawExtension that it lies in, the event.
	envelope := begin(field([]byte("k8s\x00"), 1, described), 2, len(o.bytes))
	behind := []byte{3<<3 | 2, 0, 4<<3 | 2, 0}
	length := len(envelope) + len(o.bytes) + len(behind)
	extension := begin(nil, 1, length)
	event := begin(field(nil, 1, []byte(kind)), 2, len(extension)+length)
	to = binary.BigEndian.AppendUint32(to, uint32(len(event)+len(extension)+length))
	to = append(append(append(to, event...), extension...), envelope...)
	return append(o.append(to, version), behind...)
}

func (o encodedObject) append(to []byte, version int64) []byte {
	start := len(to)
	to = append(to, o.bytes...)
	if version != 0 {
		strconv.AppendInt(to[start+o.version:start+o.version], version, 10)
	}
	return to
}

func field(to []byte, number int, value []byte) []byte {
	return append(begin(to, number, len(value)), value...)
}

// begin appends what comes before the value of a field.
func begin(to []byte, number int, length int) []byte {
	return binary.AppendUvarint(append(to, byte(number<<3|2)), uint64(length))
}
