package observe

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

// kinds are the API versions of the kinds in streams.
var kinds = map[string]string{
	"Head": "demo.test/v1", "ChildA": "demo.test/v1", "Deployment": "apps/v1", "ReplicaSet": "apps/v1", "Pod": "v1", "Secret": "v1", "Event": "v1",
	"PersistentVolumeClaim": "v1", "PersistentVolume": "v1", "StatefulSet": "apps/v1",
	"Cache": "demo.test/v1", "Issuer": "cert-manager.io/v1", "Certificate": "cert-manager.io/v1", "CertificateRequest": "cert-manager.io/v1",
}

// stream feeds an observer from lines of text, one for each watch event:
//
//	MILLISECONDS RV EVENT KIND NAME MANAGER[:SUBRESOURCE] [key=value]…
//
// MANAGER - is none, and stripped is the loss of all. The keys are owner=KIND/NAME, namespace=NAME,
// CONDITION=STATUS, and paths of fields, as spec.nodeName=a. Objects keep their fields from line to
// line.
type stream struct {
	t        *testing.T
	observer *Observer
	objects  map[string]*unstructured.Unstructured
	start    time.Time
	last     time.Time
	writes   []*writes.Write
	spans    []ptrace.Span
	services map[string]string // by span id
	// change changes objects before the observer gets them; nil changes nothing.
	change func(*unstructured.Unstructured)
}

func newStream(t *testing.T) *stream {
	s := &stream{t: t, objects: map[string]*unstructured.Unstructured{}, start: time.Unix(1_000_000, 0), services: map[string]string{}}
	s.observer = New(Options{
		Wrote: func(w *writes.Write) { s.writes = append(s.writes, w) },
		Export: func(_ context.Context, traces ptrace.Traces) error {
			for _, resource := range traces.ResourceSpans().All() {
				service, _ := resource.Resource().Attributes().Get("service.name")
				for _, scope := range resource.ScopeSpans().All() {
					for _, span := range scope.Spans().All() {
						s.spans = append(s.spans, span)
						s.services[span.SpanID().String()] = service.Str()
					}
				}
			}
			return nil
		},
	})
	return s
}

func (s *stream) play(lines string) {
	s.t.Helper()
	for line := range strings.Lines(lines) {
		if line = strings.TrimSpace(line); line != "" {
			s.event(line)
		}
	}
}

func (s *stream) end() {
	s.observer.Flush(s.t.Context(), s.last.Add(time.Hour))
}

func (s *stream) event(line string) {
	s.t.Helper()
	words := strings.Fields(line)
	after, err := time.ParseDuration(words[0] + "ms")
	if err != nil || len(words) < 6 {
		s.t.Fatalf("%q is not an event", line)
	}
	at := s.start.Add(after)
	key := words[3] + "/" + words[4]
	o := s.objects[key]
	if o == nil {
		o = &unstructured.Unstructured{Object: map[string]any{"apiVersion": kinds[words[3]], "kind": words[3]}}
		o.SetNamespace("default")
		o.SetName(words[4])
		o.SetUID(types.UID(fmt.Sprintf("uid-%s-%s", key, words[1])))
		if words[3] != "Secret" && words[3] != "Event" {
			o.SetGeneration(1)
		}
		s.objects[key] = o
	}
	o.SetResourceVersion(words[1])
	s.setManager(o, words[5], words[1])
	for _, word := range words[6:] {
		field, value, _ := strings.Cut(word, "=")
		s.set(o, field, value)
	}
	c := writes.Change{Object: o.DeepCopy(), At: at, Deleted: words[2] == "DELETED", Listed: words[2] == "LISTED", Lost: words[2] == "LOST"}
	if s.change != nil {
		s.change(c.Object)
	}
	if c.Deleted {
		delete(s.objects, key)
	}
	s.observer.Advance(s.t.Context(), at)
	s.observer.Add(c)
	s.last = at
}

func (s *stream) setManager(o *unstructured.Unstructured, word, revision string) {
	name, subresource, _ := strings.Cut(word, ":")
	switch name {
	case "-":
		return
	case "stripped":
		o.SetManagedFields(nil)
		return
	}
	entries := o.GetManagedFields()
	fields := metav1.NewFieldsV1(`{"f:revision":{"f:` + revision + `":{}}}`)
	for i, e := range entries {
		if e.Manager == name && e.Subresource == subresource {
			entries[i].FieldsV1 = fields
			o.SetManagedFields(entries)
			return
		}
	}
	o.SetManagedFields(append(entries, metav1.ManagedFieldsEntry{Manager: name, Operation: "Update", Subresource: subresource, FieldsType: "FieldsV1", FieldsV1: fields}))
}

func (s *stream) set(o *unstructured.Unstructured, field, value string) {
	s.t.Helper()
	var err error
	switch {
	case field == "owner":
		owner := s.objects[value]
		if owner == nil { // Its watch is late.
			return
		}
		o.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(owner, owner.GroupVersionKind())})
	case field == "context":
		o.SetAnnotations(map[string]string{"tracing.k8s.io/traceparent": value})
	case field == "namespace":
		o.SetNamespace(value)
	case field == "generation":
		o.SetGeneration(o.GetGeneration() + 1)
	case field == "deleting":
		now := metav1.NewTime(s.start)
		o.SetDeletionTimestamp(&now)
	case strings.Contains(field, "."):
		err = unstructured.SetNestedField(o.Object, value, strings.Split(field, ".")...)
	case field == "reason" || field == "message":
		o.Object[field] = strings.ReplaceAll(value, "_", " ")
	case field == "about":
		kind, name, _ := strings.Cut(value, "/")
		about := s.objects[kind+"/"+name]
		if about == nil {
			s.t.Fatalf("no object %s", value)
		}
		err = unstructured.SetNestedField(o.Object, string(about.GetUID()), "involvedObject", "uid")
	default:
		conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
		conditions = append(conditions, map[string]any{"type": field, "status": value})
		err = unstructured.SetNestedSlice(o.Object, conditions, "status", "conditions")
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// wantCauses plays lines of events and compares the writes and their causes.
func (s *stream) wantCauses(lines, want string) {
	s.t.Helper()
	s.play(lines)
	s.end()
	if diff := gocmp.Diff(strings.TrimSpace(want), strings.TrimSpace(s.causes())); diff != "" {
		s.t.Errorf("causes (-want +got):\n%s", diff)
	}
}

// causes describes the writes, one a line: WRITER VERB KIND@RV <- CERTAINTY KIND@RV.
func (s *stream) causes() string {
	var lines strings.Builder
	for _, w := range s.writes {
		fmt.Fprintf(&lines, "%s %s %s@%d", w.Writer, w.Verb, w.Object.Kind, w.After)
		if c := w.Cause; c.Certainty != "" {
			fmt.Fprintf(&lines, " <- %s %s@%d", c.Certainty, c.Object.Kind, c.Revision)
		}
		lines.WriteString("\n")
	}
	return lines.String()
}

// tree describes the spans as a tree, in the order of their starts: SERVICE NAME (START-END ms).
func (s *stream) tree() string {
	var lines strings.Builder
	known := map[string]bool{}
	for _, span := range s.spans {
		known[span.SpanID().String()] = true
	}
	var write func(parent string, depth int)
	write = func(parent string, depth int) {
		var children []ptrace.Span
		for _, span := range s.spans {
			id := span.ParentSpanID().String()
			if id == parent || parent == "" && !known[id] {
				children = append(children, span)
			}
		}
		slices.SortStableFunc(children, func(a, b ptrace.Span) int {
			return cmp.Or(cmp.Compare(a.StartTimestamp(), b.StartTimestamp()), cmp.Compare(a.EndTimestamp(), b.EndTimestamp()))
		})
		for _, span := range children {
			fmt.Fprintf(&lines, "%s%s %s (%s-%s)\n", strings.Repeat("  ", depth), s.services[span.SpanID().String()], span.Name(),
				span.StartTimestamp().AsTime().Sub(s.start).Round(time.Millisecond), span.EndTimestamp().AsTime().Sub(s.start).Round(time.Millisecond))
			write(span.SpanID().String(), depth+1)
		}
	}
	write("", 0)
	return lines.String()
}
