package generated

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/json"
)

// ledger records the objects of a namespace from the API server's responses, and the events that a
// watch delivers for them. It receives every write, because it is below the other transports of
// each client.
type ledger struct {
	mu      sync.Mutex
	objects map[string]*unstructured.Unstructured // by "resource/name"
	events  []change
	changes int // since the start
	log     *transcript
}

// change is an event: old is nil if the object was created, new is nil if it was deleted.
type change struct {
	old, new *unstructured.Unstructured
}

func (c change) object() *unstructured.Unstructured {
	if c.new == nil {
		return c.old
	}
	return c.new
}

func newLedger(log *transcript) *ledger {
	return &ledger{objects: map[string]*unstructured.Unstructured{}, log: log}
}

// count returns the number of changes.
func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changes
}

// take returns the events since the last call.
func (l *ledger) take() []change {
	l.mu.Lock()
	defer l.mu.Unlock()
	events := l.events
	l.events = nil
	return events
}

// versions returns the resource version of each object.
func (l *ledger) versions() map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string]string{}
	for key, obj := range l.objects {
		out[key] = obj.GetResourceVersion()
	}
	return out
}

// wrote records the response to a successful write and reports whether the write changed an object.
func (l *ledger) wrote(req *http.Request, contentType string, data []byte) (bool, error) {
	t := targetOf(req.URL.Path)
	if t.resource == "" || len(req.URL.Query()["dryRun"]) > 0 {
		return false, nil
	}
	body, err := decode(contentType, data)
	if err != nil {
		return false, fmt.Errorf("reading the response to %s %s: %w", req.Method, req.URL.Path, err)
	}
	obj := &unstructured.Unstructured{Object: body}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case req.Method == http.MethodDelete && t.name == "":
		items, _ := body["items"].([]any) // null if there are none
		for _, item := range items {
			one := &unstructured.Unstructured{Object: item.(map[string]any)} //nolint:forcetypeassert // items are objects
			l.gone(t.resource + "/" + one.GetName())
		}
		return len(items) > 0, nil
	case req.Method == http.MethodDelete && (obj.GetKind() == "Status" || len(obj.GetFinalizers()) == 0):
		return l.gone(t.resource + "/" + t.name), nil
	case t.name == "":
		t.name = obj.GetName()
	}
	return l.is(t, obj), nil
}

// is records the object of a response. The response of a subresource other than status only
// contains the new version.
func (l *ledger) is(t target, obj *unstructured.Unstructured) bool {
	key := t.resource + "/" + t.name
	old := l.objects[key]
	if t.subresource != "" && t.subresource != "status" && old != nil {
		version := obj.GetResourceVersion()
		obj = old.DeepCopy()
		obj.SetResourceVersion(version)
	}
	switch {
	case obj.GetDeletionTimestamp() != nil && len(obj.GetFinalizers()) == 0:
		return l.gone(key)
	case old != nil && old.GetResourceVersion() == obj.GetResourceVersion():
		return false
	}
	l.objects[key] = obj
	if old != nil && onlyManagedFields(old, obj) {
		l.log.same(old.GetResourceVersion(), obj.GetResourceVersion())
		return false
	}
	l.changed(change{old, obj})
	return true
}

func (l *ledger) gone(key string) bool {
	old, ok := l.objects[key]
	if ok {
		delete(l.objects, key)
		l.changed(change{old: old})
	}
	return ok
}

func (l *ledger) changed(c change) {
	l.changes++
	l.events = append(l.events, c)
}

// onlyManagedFields reports whether only managed fields changed. If admission rewrites a field that
// several managers write, the API server stores the time of a write that changes nothing else, if a
// second has passed. This does not count as an event, because it depends on the time.
func onlyManagedFields(old, obj *unstructured.Unstructured) bool {
	old, obj = old.DeepCopy(), obj.DeepCopy()
	for _, u := range []*unstructured.Unstructured{old, obj} {
		u.SetManagedFields(nil)
		u.SetResourceVersion("")
	}
	return reflect.DeepEqual(old.Object, obj.Object)
}

// target is the object in the path of a request.
type target struct{ resource, name, subresource string }

func targetOf(path string) target {
	_, rest, ok := strings.Cut(path, "/namespaces/")
	if !ok {
		return target{}
	}
	var t target
	for i, part := range strings.SplitN(rest, "/", 4) {
		switch i {
		case 1:
			t.resource = part
		case 2:
			t.name = part
		case 3:
			t.subresource = part
		}
	}
	return t
}

// decode returns a body in its JSON form.
func decode(contentType string, data []byte) (map[string]any, error) {
	var m map[string]any
	if !strings.Contains(contentType, "protobuf") {
		err := json.Unmarshal(data, &m)
		return m, err
	}
	obj, gvk, err := serializer.NewCodecFactory(scheme).UniversalDeserializer().Decode(data, nil, nil)
	if err != nil {
		return nil, err
	}
	if m, err = runtime.DefaultUnstructuredConverter.ToUnstructured(obj); err != nil {
		return nil, err
	}
	m["apiVersion"], m["kind"] = gvk.ToAPIVersionAndKind()
	return m, nil
}
