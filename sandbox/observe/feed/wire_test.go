package feed_test

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/sandbox/observe"
	"github.com/operator-tracing/sandbox/sandbox/observe/feed"
	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

// recorded has the watch events of one Head of the reference operator on an embedded cluster, from its
// creation until it is ready.
//
//go:embed testdata/head.jsonl
var recorded string

// wireKinds are the recorded kinds, as the API server's discovery has them.
var wireKinds = []metav1.APIResourceList{
	wireGroup("v1", "pods", "Pod", "events", "Event"),
	wireGroup("apps/v1", "deployments", "Deployment", "replicasets", "ReplicaSet"),
	wireGroup("dummy.example.com/v1alpha1", "heads", "Head", "childas", "ChildA"),
}

// wireGroup lists kinds by the names of their resources and kinds in turn.
func wireGroup(groupVersion string, names ...string) metav1.APIResourceList {
	list := metav1.APIResourceList{GroupVersion: groupVersion}
	for pair := range slices.Chunk(names, 2) {
		list.APIResources = append(list.APIResources, metav1.APIResource{
			Name: pair[0], Kind: pair[1], Namespaced: true, Verbs: metav1.Verbs{"list", "watch"},
		})
	}
	return list
}

// wire is an API server that delivers the recorded watch events for several Heads, each kind in its own
// watch.
type wire struct {
	*httptest.Server
	jsonOnly bool
	binary   atomic.Int32           // the number of watches in protobuf
	events   map[string][]wireEvent // by kind, after the end of an empty list
	last     uint64                 // the highest resourceVersion
	synced   chan struct{}          // closed when the events are to be sent
}

// wireEvent is a watch event in both encodings. binary is nil for a custom kind.
type wireEvent struct{ text, binary []byte }

func startWire(tb testing.TB, heads int) *wire {
	tb.Helper()
	w := &wire{events: map[string][]wireEvent{}, last: 1}
	for _, list := range wireKinds {
		for _, r := range list.APIResources {
			end := fmt.Sprintf(`{"type": "BOOKMARK", "object": {"apiVersion": %q, "kind": %q, "metadata": {"resourceVersion": "1", "annotations": {%q: "true"}}}}`, list.GroupVersion, r.Kind, metav1.InitialEventsAnnotationKey)
			w.add(tb, end, "1")
		}
	}
	for line := range strings.Lines(recorded) {
		for i := range heads {
			w.last++
			w.add(tb, strings.NewReplacer("head-7", fmt.Sprintf("head-7-%d", i), `"uid":"`, fmt.Sprintf(`"uid":"%d-`, i)).Replace(line), strconv.FormatUint(w.last, 10))
		}
	}
	w.Server = httptest.NewServer(http.HandlerFunc(w.serve))
	tb.Cleanup(w.Close)
	return w
}

// add adds a watch event in JSON.
func (w *wire) add(tb testing.TB, line, revision string) {
	tb.Helper()
	var event struct {
		Type   string                     `json:"type"`
		Object *unstructured.Unstructured `json:"object"`
	}
	if err := json.Unmarshal([]byte(line), &event); err != nil {
		tb.Fatal(err)
	}
	event.Object.SetResourceVersion(revision)
	text, err := json.Marshal(event)
	if err != nil {
		tb.Fatal(err)
	}
	e := wireEvent{text: text}
	if scheme.Scheme.Recognizes(event.Object.GroupVersionKind()) {
		e.binary = inProtobuf(tb, event.Type, event.Object)
	}
	kind := event.Object.GetKind()
	w.events[kind] = append(w.events[kind], e)
}

func inProtobuf(tb testing.TB, kind string, object *unstructured.Unstructured) []byte {
	tb.Helper()
	var inner, event, framed bytes.Buffer
	typed, err := scheme.Scheme.New(object.GroupVersionKind())
	if err == nil {
		err = runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed)
	}
	if err == nil {
		err = protobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Encode(typed, &inner)
	}
	if err == nil {
		err = protobuf.NewRawSerializer(scheme.Scheme, scheme.Scheme).Encode(&metav1.WatchEvent{Type: kind, Object: runtime.RawExtension{Raw: inner.Bytes()}}, &event)
	}
	if err == nil {
		_, err = protobuf.LengthDelimitedFramer.NewFrameWriter(&framed).Write(event.Bytes())
	}
	if err != nil {
		tb.Fatal(err)
	}
	return framed.Bytes()
}

func (w *wire) serve(out http.ResponseWriter, request *http.Request) {
	path := strings.Trim(request.URL.Path, "/")
	version := strings.TrimPrefix(strings.TrimPrefix(path, "apis/"), "api/")
	groups := metav1.APIGroupList{}
	for _, list := range wireKinds {
		for _, r := range list.APIResources {
			if version == list.GroupVersion+"/"+r.Name {
				w.watch(out, request, r.Kind)
				return
			}
		}
		if version == list.GroupVersion {
			_ = json.NewEncoder(out).Encode(list) // The observer sees it if it fails.
			return
		}
		if group, name, found := strings.Cut(list.GroupVersion, "/"); found {
			v := metav1.GroupVersionForDiscovery{GroupVersion: list.GroupVersion, Version: name}
			groups.Groups = append(groups.Groups, metav1.APIGroup{Name: group, Versions: []metav1.GroupVersionForDiscovery{v}, PreferredVersion: v})
		}
	}
	if path == "api" {
		_ = json.NewEncoder(out).Encode(metav1.APIVersions{Versions: []string{"v1"}})
		return
	}
	_ = json.NewEncoder(out).Encode(groups)
}

// watch sends the end of an empty list, and after the observer has all of these the events.
func (w *wire) watch(out http.ResponseWriter, request *http.Request, kind string) {
	isBinary := !w.jsonOnly && strings.Contains(request.Header.Get("Accept"), runtime.ContentTypeProtobuf)
	contentType := runtime.ContentTypeJSON
	if isBinary {
		w.binary.Add(1)
		contentType = runtime.ContentTypeProtobuf + ";stream=watch"
	}
	out.Header().Set("Content-Type", contentType)
	for i, e := range w.events[kind] {
		data := e.text
		if isBinary {
			data = e.binary
		}
		_, _ = out.Write(data) // The observer sees it if it fails.
		if i == 0 {
			out.(http.Flusher).Flush()
			<-w.synced
		}
	}
	out.(http.Flusher).Flush()
	<-request.Context().Done()
}

// observe observes the events, and returns the writes.
func (w *wire) observe(tb testing.TB) []string {
	tb.Helper()
	w.synced = make(chan struct{})
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	var all []string
	observer := observe.New(observe.Options{
		Wrote: func(write *writes.Write) {
			all = append(all, fmt.Sprintf("%s %s %s@%d %v %v <- %s %d", write.Writer, write.Verb, write.Object, write.After, write.Fields, write.Transitions, write.Cause.Certainty, write.Cause.Revision))
			if write.After == w.last {
				cancel()
			}
		},
		Failed: func(err error) { tb.Error(err) },
	})
	watcher := feed.Watcher{Config: &rest.Config{Host: w.URL}, Synced: func() { close(w.synced) }}
	if err := watcher.Run(ctx, observer); err != nil {
		tb.Fatal(err)
	}
	if ctx.Err() == context.DeadlineExceeded {
		tb.Fatalf("the last write did not arrive; %d writes", len(all))
	}
	return all
}

// An API server that sends protobuf, and one that does not, lead to the same writes.
func TestEncodings(t *testing.T) {
	t.Parallel()
	w, text := startWire(t, 3), startWire(t, 3)
	text.jsonOnly = true
	if diff := cmp.Diff(text.observe(t), w.observe(t)); diff != "" {
		t.Errorf("writes (-JSON +protobuf):\n%s", diff)
	}
	if w.binary.Load() != 4 || text.binary.Load() != 0 {
		t.Errorf("%d and %d watches in protobuf, want 4 of built-in kinds and none", w.binary.Load(), text.binary.Load())
	}
}

// BenchmarkWatch measures the observer's work while 50 Heads become ready, from the bytes of the
// watches to the causes. Most of the wall time is waiting.
func BenchmarkWatch(b *testing.B) {
	w := startWire(b, 50)
	before := processorTime(b)
	for b.Loop() {
		w.observe(b)
	}
	b.ReportMetric(float64((processorTime(b)-before).Milliseconds())/float64(b.N), "cpu-ms/op")
}

func processorTime(tb testing.TB) time.Duration {
	tb.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
