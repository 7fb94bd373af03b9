package e2e

import (
	"context"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/e2e/harness"
	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

func TestBadHeads(t *testing.T) {
	f := newFeature("a Head without an image is rejected", needAPIServer)
	for what, spec := range map[string]any{
		"without a spec":      nil,
		"with an empty spec":  map[string]any{},
		"with an empty image": map[string]any{"child_a": ""},
		"with a null image":   map[string]any{"child_a": nil},
		"with a blank in it":  map[string]any{"child_a": "a b"},
	} {
		f.assess(what, func(ctx context.Context, s *step) {
			err := s.Client.Create(ctx, rawHead(s.Namespace, "bad", spec))
			if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "spec.child_a") {
				s.Errorf("creating the Head = %v, want Invalid with spec.child_a", err)
			}
		})
	}
	f.assess("an update can't take the image away", func(ctx context.Context, s *step) {
		if _, err := s.CreateHead(ctx, "good", nil); err != nil {
			s.Fatal(err)
		}
		_, err := updateHead(ctx, s.Fixture, "good", func(head *v1alpha1.Head) { head.Spec.ChildA = "" })
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "spec.child_a") {
			s.Errorf("updating the Head = %v, want Invalid with spec.child_a", err)
		}
	}).runBeside(t)
}

// rawHead returns a Head with any spec, as a user's YAML can have.
func rawHead(namespace, name string, spec any) *unstructured.Unstructured {
	head := &unstructured.Unstructured{Object: map[string]any{}}
	head.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Head"))
	head.SetNamespace(namespace)
	head.SetName(name)
	if spec != nil {
		head.Object["spec"] = spec
	}
	return head
}

func TestContextsFromOutside(t *testing.T) {
	const outside = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	var linked creation
	f := newFeature("a context that a user writes is not taken as it is", needPods)
	for what, value := range map[string]string{
		"text": "garbage", "zeros": "00-" + strings.Repeat("0", 32) + "-" + strings.Repeat("0", 16) + "-00",
		"something long": strings.Repeat("x", 10_000), "nothing": "",
	} {
		f.assess(what+" is replaced", func(ctx context.Context, s *step) {
			head, err := s.CreateHead(ctx, "malformed-"+strings.ReplaceAll(what, " ", "-"), annotate(tracetree.TraceparentAnnotation, value))
			if err != nil {
				s.Fatal(err)
			}
			if _, _, err := tracetree.TraceIDOf(head.Annotations); err != nil {
				s.Errorf("the Head of the API server's response has %v", err)
			}
		})
	}
	f.assess("a valid one starts no trace of that id", func(ctx context.Context, s *step) {
		head, err := s.CreateHead(ctx, "head", annotate(tracetree.TraceparentAnnotation, outside))
		if err != nil {
			s.Fatal(err)
		}
		traceID, _, err := tracetree.TraceIDOf(head.Annotations)
		if err != nil || strings.Contains(outside, traceID) {
			s.Fatalf("the Head names trace %q (%v), want one of its own", traceID, err)
		}
		linked.head = head
	}).assess("a valid one is a link of the root", func(ctx context.Context, s *step) {
		trace, err := s.WaitTrace(ctx, linked.head, "create.tree")
		if err != nil {
			s.Fatal(err)
		}
		linked.trace = trace
		links := root(s.T, trace).Links
		want := spantree.Link{TraceID: "0af7651916cd43dd8448eb211c80319c", SpanID: "b7ad6b7169203331"}
		if len(links) != 1 || links[0].TraceID != want.TraceID || links[0].SpanID != want.SpanID {
			s.Errorf("the links of the root are %v, want %v", links, want)
		}
	})
	for what, tamper := range map[string]func(*v1alpha1.Head){
		"change it":         annotate(tracetree.TraceparentAnnotation, outside),
		"break it":          annotate(tracetree.TraceparentAnnotation, "garbage"),
		"change its origin": annotate(originAnnotation, "b7ad6b7169203331-0-1"),
		"add to it":         annotate("tracing.k8s.io/tracestate", "vendor=1"),
	} {
		f.assess("an update can't "+what, func(ctx context.Context, s *step) {
			head, err := updateHead(ctx, s.Fixture, linked.head.Name, tamper)
			if err != nil {
				s.Fatal(err)
			}
			sameContext(s.T, linked.head, head)
		})
	}
	f.assess("an update can remove it", func(ctx context.Context, s *step) {
		// The request changes nothing else, so the webhook does not change it.
		head, err := updateHead(ctx, s.Fixture, linked.head.Name, func(head *v1alpha1.Head) { head.Annotations = nil })
		if err != nil {
			s.Fatal(err)
		}
		if _, _, err := tracetree.TraceIDOf(head.Annotations); err == nil {
			s.Errorf("the Head has annotations %v, want none of a context", head.Annotations)
		}
	}).assess("none of that is in a trace", func(ctx context.Context, s *step) {
		// A complete trace is quiet, too.
		if _, err := s.WaitTrace(ctx, linked.head, "create.tree"); err != nil {
			s.Fatal(err)
		}
		linked.unchanged(ctx, s)
		created := creation{head: linked.head, trace: linked.trace}
		created.find(ctx, s)
	}).runBeside(t)
}

func annotate(key, value string) func(*v1alpha1.Head) {
	return func(head *v1alpha1.Head) {
		annotations := map[string]string{key: value}
		maps.Copy(annotations, head.Annotations)
		annotations[key] = value
		head.Annotations = annotations
	}
}

// originAnnotation is the annotation that the operator writes beside a context.
const originAnnotation = "tracing.k8s.io/origin"

// sameContext fails the test unless two states of a Head have the same trace context.
func sameContext(t *testing.T, before, after *v1alpha1.Head) {
	t.Helper()
	context := func(head *v1alpha1.Head) map[string]string {
		out := maps.Clone(head.Annotations)
		maps.DeleteFunc(out, func(key, _ string) bool { return !strings.HasPrefix(key, "tracing.k8s.io/") })
		return out
	}
	if diff := cmp.Diff(context(before), context(after)); diff != "" {
		t.Errorf("the trace context (-before +after):\n%s", diff)
	}
}

func TestUserAnnotations(t *testing.T) {
	mine := map[string]string{"example.com/note": "keep me", "example.com/empty": "", "tracing.k8s.io/other": "not ours"}
	check := func(t *testing.T, when string, head *v1alpha1.Head) {
		t.Helper()
		for key, value := range mine {
			if got, there := head.Annotations[key]; !there || got != value {
				t.Errorf("%s, annotation %s = %q (exists: %t), want %q", when, key, got, there, value)
			}
		}
	}
	newFeature("annotations of users stay", needPods).
		assess("at admission", func(ctx context.Context, s *step) {
			head, err := s.CreateHead(ctx, "head", func(head *v1alpha1.Head) { head.Annotations = maps.Clone(mine) })
			if err != nil {
				s.Fatal(err)
			}
			check(s.T, "after admission", head)
		}).
		assess("until the Head is ready", func(ctx context.Context, s *step) {
			if err := s.WaitReady(ctx, "head"); err != nil {
				s.Fatal(err)
			}
			head := &v1alpha1.Head{}
			if err := s.Get(ctx, "head", head); err != nil {
				s.Fatal(err)
			}
			check(s.T, "when ready", head)
		}).
		assess("at every change", func(ctx context.Context, s *step) {
			mine["example.com/later"] = "added"
			head, err := updateHead(ctx, s.Fixture, "head", annotate("example.com/later", "added"))
			if err != nil {
				s.Fatal(err)
			}
			check(s.T, "after a change of annotations", head)
			head, err = updateHead(ctx, s.Fixture, "head", func(head *v1alpha1.Head) { head.Spec.ChildA = harness.OtherImage })
			if err != nil {
				s.Fatal(err)
			}
			check(s.T, "after a change of the spec", head)
			patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"a":"b"}}}`))
			if err := s.Client.Patch(ctx, head, patch); err != nil {
				s.Fatal(err)
			}
			check(s.T, "after a patch of labels", head)
		}).runBeside(t)
}
