// informer-bench on client-go: the same options, the same handler, the same line of JSON.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/features"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

type usage struct {
	cpu            time.Duration
	resident, peak float64
	live           uint64
}

func measure(collect bool) (u usage) {
	var memory runtime.MemStats
	if collect {
		runtime.GC()
		runtime.GC()
		debug.FreeOSMemory()
	}
	runtime.ReadMemStats(&memory)
	var times syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &times)
	u.cpu = time.Duration(times.Utime.Nano() + times.Stime.Nano())
	u.live = memory.HeapAlloc
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		var kibibytes float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kibibytes); n == 1 {
			u.resident = kibibytes / 1024
		}
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kibibytes); n == 1 {
			u.peak = kibibytes / 1024
		}
	}
	return u
}

type watchList bool

func (w watchList) Enabled(feature features.Feature) bool {
	if feature == features.WatchListClient {
		return bool(w)
	}
	return feature == features.InOrderInformers
}

func main() {
	url := flag.String("url", "", "the server")
	ca := flag.String("ca", "", "its certificate authority")
	n := flag.Int("n", 0, "how many pods it has")
	mode := flag.String("mode", "list", "list or watchlist")
	encoding := flag.String("encoding", "protobuf", "protobuf or json")
	strip := flag.Bool("strip", false, "drop managedFields")
	http1 := flag.Bool("http1", false, "HTTP/1.1")
	onlyMetadata := flag.Bool("metadata", false, "a metadata-only informer")
	churn := flag.Int("churn", 0, "how many changes to follow")
	flag.Bool("read-object", false, "the whole object, which is decoded here in any case")
	flag.Parse()

	features.ReplaceFeatureGates(watchList(*mode == "watchlist"))
	config := &rest.Config{Host: *url, TLSClientConfig: rest.TLSClientConfig{CAFile: *ca}, QPS: -1}
	if *http1 {
		config.TLSClientConfig.NextProtos = []string{"http/1.1"}
	}
	if *encoding == "protobuf" {
		config.ContentType = "application/vnd.kubernetes.protobuf"
		config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	}
	config.DisableCompression = true
	var added atomic.Int64
	synced, sentinel := make(chan struct{}), make(chan struct{})
	read := func(object any) {
		pod := object.(metav1.Object)
		sink = len(pod.GetName()) + len(pod.GetNamespace()) + len(pod.GetResourceVersion())
		for key, value := range pod.GetLabels() {
			sink += len(key) + len(value)
			if key == "sentinel" {
				close(sentinel)
			}
		}
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) {
			read(object)
			if added.Add(1) == int64(*n) {
				close(synced)
			}
		},
		UpdateFunc: func(_, object any) { read(object) },
	}
	var informer cache.SharedIndexInformer
	if *onlyMetadata {
		factory := metadatainformer.NewSharedInformerFactory(metadata.NewForConfigOrDie(config), 10*time.Minute)
		informer = factory.ForResource(corev1.SchemeGroupVersion.WithResource("pods")).Informer()
	} else {
		informer = informers.NewSharedInformerFactory(kubernetes.NewForConfigOrDie(config), 10*time.Minute).Core().V1().Pods().Informer()
	}
	if *strip {
		informer.SetTransform(func(object any) (any, error) {
			object.(metav1.Object).SetManagedFields(nil)
			return object, nil
		})
	}
	if _, err := informer.AddEventHandler(handler); err != nil {
		log.Fatal(err)
	}
	base := measure(true)
	started := time.Now()
	go informer.RunWithContext(context.Background())
	<-synced
	wall, done := time.Since(started), measure(false)
	time.Sleep(time.Second)
	settled := measure(true)
	each := func(total time.Duration, count int) float64 {
		return float64(total.Microseconds()) / float64(max(count, 1))
	}
	program := "client-go"
	if *onlyMetadata {
		program = "client-go metadata"
	}
	line := map[string]any{
		"program": program, "mode": *mode, "encoding": *encoding, "n": *n,
		"sync_wall_s": wall.Seconds(), "sync_cpu_s": (done.cpu - base.cpu).Seconds(), "sync_cpu_us_per_object": each(done.cpu-base.cpu, *n),
		"base_rss_mib": base.resident, "rss_mib": done.resident, "peak_rss_mib": done.peak, "settled_rss_mib": settled.resident,
		"live_bytes_per_object": float64(settled.live-base.live) / float64(max(*n, 1)),
	}
	if *churn > 0 {
		os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
		base, started = measure(false), time.Now()
		client, err := rest.HTTPClientFor(config)
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			answer, err := client.Post(fmt.Sprintf("%s/control/churn?events=%d", *url, *churn), "", &bytes.Buffer{})
			if err != nil || answer.StatusCode != http.StatusOK {
				log.Fatal("churn: ", err)
			}
			io.Copy(io.Discard, answer.Body)
		}()
		<-sentinel
		wall, done = time.Since(started), measure(false)
		line["churn_events"], line["churn_wall_s"], line["churn_cpu_s"] = *churn, wall.Seconds(), (done.cpu - base.cpu).Seconds()
		line["events_per_s"] = float64(*churn) / wall.Seconds()
		line["churn_cpu_us_per_event"], line["churn_peak_rss_mib"] = each(done.cpu-base.cpu, *churn), done.peak
	}
	text, _ := json.Marshal(line)
	fmt.Println(string(text))
}

var sink int
