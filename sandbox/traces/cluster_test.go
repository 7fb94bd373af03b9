package traces

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// fixture is an API server with the kinds of the reference operator, for a test with objects of its own.
type fixture struct {
	config   *rest.Config
	manifest *project.Manifests
}

// session returns a session on the API server.
func (f fixture) session(t *testing.T) *session.Session {
	t.Helper()
	s := &session.Session{Dir: state.Dir{Path: t.TempDir()}, Record: state.Record{Name: "a", NotObserved: true}}
	if err := project.SaveSubject(s.Dir.Subject(), f.manifest.Subject()); err != nil {
		t.Fatal(err)
	}
	s.Connect(func() (*rest.Config, error) { return f.config, nil }, false)
	return s
}

// head creates a Head with a trace context, unless trace is empty.
func (f fixture) head(t *testing.T, s *session.Session, name, trace string) (Object, *unstructured.Unstructured) {
	t.Helper()
	target, err := s.Target()
	if err != nil {
		t.Fatal(err)
	}
	live := f.manifest.Samples[0].DeepCopy()
	live.SetName(name)
	live.SetNamespace("default")
	if trace != "" {
		live.SetAnnotations(map[string]string{tracetree.TraceparentAnnotation: "00-" + trace + "-0123456789abcdef-01"})
	}
	if err := target.Client().Create(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	return Object{Kind: live.GroupVersionKind(), NamespacedName: types.NamespacedName{Namespace: "default", Name: name}}, live
}

// ready sets the condition Ready of an object.
func ready(t *testing.T, s *session.Session, live *unstructured.Unstructured) {
	t.Helper()
	target, err := s.Target()
	if err != nil {
		t.Fatal(err)
	}
	live.Object["status"] = map[string]any{"observedGeneration": live.GetGeneration(), "conditions": []any{map[string]any{
		"type": "Ready", "status": "True", "reason": "Test", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": live.GetGeneration(),
	}}}
	if err := target.Client().Status().Update(t.Context(), live); err != nil {
		t.Fatal(err)
	}
}

// TestCluster uses one API server. The subtests are parallel and have objects and a Jaeger of their own.
func TestCluster(t *testing.T) {
	t.Parallel()
	f := fixture{applytest.Start(t), applytest.Manifests(t)}
	s := f.session(t)
	target, err := s.Target()
	if err != nil {
		t.Fatal(err)
	}
	definitions := slices.DeleteFunc(slices.Clone(f.manifest.Objects), func(o *unstructured.Unstructured) bool { return o.GetKind() != "CustomResourceDefinition" })
	apply.Label(definitions, "test", "")
	if err := errors.Join(apply.Apply(t.Context(), target, definitions), apply.WaitReady(t.Context(), target, definitions)); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]func(*testing.T, fixture){
		"Find": testFind, "Get": testGet, "SampleLost": testSampleLost, "Trace": testTrace, "WaitTrace": testWaitTrace, "Observed": testWaitForObserver,
		"Unready": testWaitTraceOfUnready, "Follow": testFollow,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, f) })
	}
}

func testFind(t *testing.T, f fixture) {
	reader, _ := newReader(t, f.session(t))
	for _, test := range []struct{ argument, namespace, want string }{
		{"web", "", "Head default/web"},
		{"web", "team", "Head team/web"},
		{"head/web", "", "Head default/web"},
		{"Heads/web", "team", "Head team/web"},
		{"heads.dummy.example.com/web", "", "Head default/web"},
		{"childa/web", "", "ChildA default/web"},
		{"deploy/web", "kube-system", "Deployment kube-system/web"},
		{"node/web", "", "Node web"},
		{"node/web", "team", "Node web"},
		{"kube-system/web", "", "Head kube-system/web"},
		{"hed/web", "", `no kind and no namespace is called "hed" (did you mean head?)`},
		{"kube-system/web", "team", `no kind is called "kube-system"`},
		{"nowhere/web", "", `no kind and no namespace is called "nowhere"`},
	} {
		ref, err := ParseReference(test.argument)
		if err != nil {
			t.Fatal(err)
		}
		object, err := reader.Find(t.Context(), ref, test.namespace)
		got := object.String()
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, test.want) {
			t.Errorf("Find(%s, %q) = %s, want %s", test.argument, test.namespace, got, test.want)
		}
	}
	for _, test := range []struct {
		kind schema.GroupVersionKind
		in   string
		want string
	}{
		{f.manifest.Samples[0].GroupVersionKind(), "default", "head/web"},
		{f.manifest.Samples[0].GroupVersionKind(), "team", "head/web --namespace team"},
		{schema.GroupVersionKind{Group: "other.example.com", Version: "v1", Kind: "Head"}, "", "head.other.example.com/web"},
		{schema.GroupVersionKind{Version: "v1", Kind: "Node"}, "", "node/web"},
	} {
		got, err := reader.KubectlName(t.Context(), Object{test.kind, types.NamespacedName{Namespace: test.in, Name: "web"}})
		if err != nil || got != test.want {
			t.Errorf("KubectlName(%s in %q) = %q, %v; want %q", test.kind, test.in, got, err, test.want)
		}
	}
}

// The error about a missing object names a similar one, or some that exist.
func testGet(t *testing.T, f fixture) {
	s := f.session(t)
	reader, _ := newReader(t, s)
	object, _ := f.head(t, s, "similar", "")
	if live, err := reader.get(t.Context(), object); err != nil || live.GetName() != "similar" {
		t.Errorf("get(%s) = %v, %v", object, live, err)
	}
	for name, test := range map[string]struct {
		change func(*Object)
		want   string
		kind   error
	}{
		"misspelt":   {func(o *Object) { o.Name = "similer" }, "finding Head default/similer: there is none of that name (did you mean default/similar", ErrNoObject},
		"unlike any": {func(o *Object) { o.Name = "x" }, "finding Head default/x: there is none of that name; there is ", ErrNoObject},
		"none of its kind": {func(o *Object) {
			o.Kind = schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "DaemonSet"}
		}, "finding DaemonSet default/similar: there is none of that name", ErrNoObject},
		"unknown kind": {func(o *Object) { o.Kind.Kind = "Tail" }, "finding Tail default/similar: the API server serves no such kind; run `sandbox up` to repair", nil},
	} {
		wanted := object
		test.change(&wanted)
		_, err := reader.get(t.Context(), wanted)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) || test.kind != nil && !errors.Is(err, test.kind) {
			t.Errorf("%s: get() = %v, want %q", name, err, test.want)
		}
	}
}

// SampleLost is true if the sample should have a trace and has none. Its cases change one sample.
func testSampleLost(t *testing.T, f fixture) {
	s := f.session(t)
	reader, jaeger := newReader(t, s)
	name := f.manifest.Subject().Sample().Name
	check := func(what string, want bool, wantErr error) {
		t.Helper()
		if lost, err := reader.SampleLost(t.Context()); lost != want || !errors.Is(err, wantErr) {
			t.Errorf("%s: SampleLost() = %t, %v; want %t, %v", what, lost, err, want, wantErr)
		}
	}
	check("no sample", false, nil)
	_, live := f.head(t, s, name, "")
	check("no webhook admitted it", true, nil)
	live.SetAnnotations(map[string]string{tracetree.TraceparentAnnotation: "00-" + firstTrace + "-0123456789abcdef-01"})
	target, err := s.Target()
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Client().Update(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	check("Jaeger restarted", true, nil)
	jaeger.add(t, firstTrace, map[string]any{"operator.object.uid": string(live.GetUID()), "operator.object.generation": live.GetGeneration()})
	check("it has its trace", false, nil)
	s.Record.TracedSample = string(live.GetUID())
	check("its trace was shown", false, nil)
	jaeger.orphan(firstTrace)
	check("Jaeger restarted, and the observer sent a reaction", true, nil)
	s.Record.TracedSample = ""
	check("its trace comes", false, nil)
	jaeger.setDown(true)
	check("Jaeger is down", false, tracetree.ErrUnreachable)
	s.Record.Target.JaegerEndpoint = "j:4317"
	check("a Jaeger without a query address", false, nil)

	// An operator without a webhook has a trace only if an up has seen it.
	s.Record.Target.JaegerEndpoint = ""
	jaeger.setDown(false)
	subject := f.manifest.Subject()
	subject.Annotation = ""
	if err := project.SaveSubject(s.Dir.Subject(), subject); err != nil {
		t.Fatal(err)
	}
	other := &session.Session{Dir: s.Dir, Record: s.Record}
	other.Connect(func() (*rest.Config, error) { return f.config, nil }, false)
	reader, _ = newReader(t, other)
	live.SetAnnotations(nil)
	if err := target.Client().Update(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	check("an operator without traces", false, nil)
	other.Record.TracedSample = string(live.GetUID())
	check("its trace was shown before", true, nil)
}

func testTrace(t *testing.T, f fixture) {
	s := f.session(t)
	reader, jaeger := newReader(t, s)
	object, live := f.head(t, s, "traced", firstTrace)
	for _, test := range []struct {
		what   string
		change func()
		want   string
		is     error
	}{
		{"no span, so it is reconstructed", func() {}, "", nil},
		{"Jaeger down", func() { jaeger.setDown(true) }, "`sandbox up` repairs the sandbox", tracetree.ErrUnreachable},
		{"a trace", func() {
			jaeger.setDown(false)
			jaeger.add(t, firstTrace, map[string]any{"operator.object.uid": string(live.GetUID()), "operator.object.generation": live.GetGeneration()})
		}, "", nil},
		{"another object", func() { object.Name = "untraced-2" }, "; if the object was deleted: Jaeger has no trace of it from the last hour", ErrNoObject},
		{"a deleted object", func() {
			jaeger.add(t, strings.Repeat("d", 32), map[string]any{"operator.object.kind": "Head", "operator.object.name": object.Name, "k8s.namespace.name": object.Namespace})
		}, "; if the object was deleted: `sandbox trace --id=" + strings.Repeat("d", 32) + "` prints its last trace", ErrNoObject},
		{"a deleted object, and no Jaeger", func() { jaeger.setDown(true) }, "there is none of that name", ErrNoObject},
	} {
		test.change()
		trace, err := reader.Trace(t.Context(), object)
		applytest.CheckError(t, err, test.want)
		if !errors.Is(err, test.is) || err == nil && (trace.ID == firstTrace) != (test.what == "a trace") {
			t.Errorf("%s: Trace() = %s, %v; want %v", test.what, trace.ID, err, test.is)
		}
	}
	jaeger.setDown(false)
	untraced, _ := f.head(t, s, "untraced", "")
	if trace, err := reader.Trace(t.Context(), untraced); err != nil || trace.Len() == 0 {
		t.Errorf("without a context: Trace() = %d spans, %v, want a reconstructed trace", trace.Len(), err)
	}
}

// WaitTrace returns the trace of a ready object, and records that the sample had one.
func testWaitTrace(t *testing.T, f fixture) {
	s := f.session(t)
	reader, jaeger := newReader(t, s)
	object, live := f.head(t, s, "awaited", firstTrace)
	jaeger.add(t, firstTrace, map[string]any{"operator.object.uid": string(live.GetUID()), "operator.object.generation": live.GetGeneration()})
	ready(t, s, live)
	trace, err := reader.WaitTrace(t.Context(), object)
	if err != nil || trace.ID != firstTrace || trace.Len() != 1 {
		t.Fatalf("WaitTrace() = %s with %d spans, %v; want %s", trace.ID, trace.Len(), err, firstTrace)
	}
	if record, err := s.Dir.Load(); err != nil || record.TracedSample != string(live.GetUID()) {
		t.Errorf("the record has the traced sample %q, %v; want %s", record.TracedSample, err, live.GetUID())
	}
}

// While the observer has not sent all spans, the trace is incomplete, but not for ever.
func testWaitForObserver(t *testing.T, f fixture) {
	s := f.session(t)
	s.Record.NotObserved = false
	reader, jaeger := newReader(t, s)
	object, live := f.head(t, s, "observed", firstTrace)
	jaeger.add(t, firstTrace, map[string]any{"operator.object.uid": string(live.GetUID()), "operator.object.generation": live.GetGeneration()})
	ready(t, s, live)
	began := time.Now()
	if _, err := reader.WaitTrace(t.Context(), object); err != nil || time.Since(began) < observedWait {
		t.Errorf("WaitTrace() without an observer = %v after %s, want nil after %s", err, time.Since(began), observedWait)
	}
	began = time.Now()
	if _, err := reader.Trace(t.Context(), object); err != nil || time.Since(began) < lookWait {
		t.Errorf("Trace() without an observer = %v after %s, want nil after %s", err, time.Since(began), lookWait)
	}
	if err := os.WriteFile(s.Dir.Observed(), []byte(live.GetResourceVersion()), 0o600); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	if _, err := reader.WaitTrace(t.Context(), object); err != nil || time.Since(began) >= observedWait {
		t.Errorf("WaitTrace() = %v after %s, want nil in less than %s", err, time.Since(began), observedWait)
	}
}

// A trace of an object that does not get ready is returned with what it lacks.
func testWaitTraceOfUnready(t *testing.T, f fixture) {
	s := f.session(t)
	reader, jaeger := newReader(t, s)
	object, live := f.head(t, s, "unready", firstTrace)
	jaeger.add(t, firstTrace, map[string]any{"operator.object.uid": string(live.GetUID()), "operator.object.generation": live.GetGeneration()})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	trace, err := reader.WaitTrace(ctx, object)
	var incomplete *tracetree.IncompleteError
	if !errors.As(err, &incomplete) || incomplete.State(tracetree.ConditionReady).Holds || trace.ID != firstTrace {
		t.Errorf("WaitTrace() = %s, %v; want the trace and an IncompleteError about its object", trace.ID, err)
	}
	if s.Record.TracedSample != "" {
		t.Errorf("the record has the traced sample %q, want none", s.Record.TracedSample)
	}
}

// Follow shows an object from before it exists until its trace is complete, and ends with the error of show.
func testFollow(t *testing.T, f fixture) {
	s := f.session(t)
	reader, jaeger := newReader(t, s)
	object := Object{Kind: f.manifest.Samples[0].GroupVersionKind(), NamespacedName: types.NamespacedName{Namespace: "default", Name: "followed"}}
	complete := errors.New("complete")
	var waited []string
	err := reader.Follow(t.Context(), object, func(look Look) error {
		if len(waited) == 0 || waited[len(waited)-1] != look.Waiting {
			waited = append(waited, look.Waiting)
		}
		switch last := look.Waiting; {
		case strings.Contains(last, ErrNoObject.Error()):
			f.head(t, s, "followed", firstTrace)
		case strings.Contains(last, "is not ready"):
			live, err := reader.get(t.Context(), object)
			if err != nil {
				return err
			}
			ready(t, s, live)
		case strings.Contains(last, "Jaeger has no span"):
			jaeger.add(t, firstTrace, nil)
		case last == "":
			return complete
		}
		return nil
	})
	if !errors.Is(err, complete) || len(waited) < 4 {
		t.Errorf("Follow() = %v after waiting for %q", err, waited)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = reader.Follow(ctx, object, func(Look) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Follow() = %v, want %v", err, context.Canceled)
	}
}

func ExampleObject_String() {
	head := schema.GroupVersionKind{Group: "dummy.example.com", Version: "v1alpha1", Kind: "Head"}
	fmt.Println(Object{head, types.NamespacedName{Namespace: "team", Name: "web"}})
	fmt.Println(Object{head, types.NamespacedName{Name: "web"}})
	// Output:
	// Head team/web
	// Head web
}
