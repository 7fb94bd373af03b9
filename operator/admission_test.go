package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/operator-tracing/sandbox/config"
	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/operator/tracing"
)

const traceparent = "tracing.k8s.io/" + tracing.TraceparentKey

var validTraceparent = regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

func TestBadHeadsAreRejected(t *testing.T) {
	c := cluster(t)
	ns := c.namespace(t)
	for name, spec := range map[string]any{
		"no spec":          nil,
		"empty spec":       map[string]any{},
		"null":             map[string]any{"child_a": nil},
		"empty":            map[string]any{"child_a": ""},
		"blank":            map[string]any{"child_a": "  "},
		"blank inside":     map[string]any{"child_a": "a b"},
		"line end":         map[string]any{"child_a": "image:1\n"},
		"number":           map[string]any{"child_a": int64(1)},
		"far too long":     map[string]any{"child_a": strings.Repeat("a", 513)},
		"misspelled field": map[string]any{"childA": "image:1"},
	} {
		t.Run(name, func(t *testing.T) {
			head := newUnstructuredHead(ns, "bad", spec)
			err := c.admin.Create(t.Context(), head)
			// The API server rejects a value of another type before it checks the schema.
			if rejected := apierrors.IsInvalid(err) || name == "number" && apierrors.IsBadRequest(err); !rejected {
				t.Fatalf("error = %v, want Invalid", err)
			}
			if !strings.Contains(err.Error(), "spec.child_a") {
				t.Errorf("error %q does not name the field", err)
			}
		})
	}
}

func TestBadUpdateIsRejected(t *testing.T) {
	f := newFamily(t)
	for _, image := range []string{"", " "} {
		patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"child_a":"`+image+`"}}`))
		if err := f.admin.Patch(t.Context(), f.head, patch); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "spec.child_a") {
			t.Errorf("update to %q: error = %v, want Invalid that names spec.child_a", image, err)
		}
	}
}

func TestBadChildIsRejected(t *testing.T) {
	c := cluster(t)
	ns := c.namespace(t)
	for name, spec := range map[string]any{"no spec": nil, "empty spec": map[string]any{}, "blank": map[string]any{"image": " "}} {
		t.Run(name, func(t *testing.T) {
			child := newUnstructuredHead(ns, "bad", spec)
			child.SetKind("ChildA")
			if err := c.admin.Create(t.Context(), child); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "spec.image") {
				t.Errorf("error = %v, want Invalid that names spec.image", err)
			}
		})
	}
}

func newUnstructuredHead(namespace, name string, spec any) *unstructured.Unstructured {
	head := &unstructured.Unstructured{Object: map[string]any{}}
	head.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Head"))
	head.SetNamespace(namespace)
	head.SetName(name)
	if spec != nil {
		head.Object["spec"] = spec
	}
	return head
}

func TestSampleIsAdmittedWithATrace(t *testing.T) {
	c := cluster(t)
	text, err := config.Files.ReadFile(config.SampleHead)
	if err != nil {
		t.Fatal(err)
	}
	head := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, &head.Object); err != nil {
		t.Fatal(err)
	}
	head.SetNamespace(c.namespace(t))
	if err := c.admin.Create(t.Context(), head, client.DryRunAll); err != nil {
		t.Fatalf("dry run: %v", err)
	}
	head.SetResourceVersion("")
	head.SetUID("")
	head.SetAnnotations(nil)
	if err := c.admin.Create(t.Context(), head); err != nil {
		t.Fatal(err)
	}
	if got := head.GetAnnotations()[traceparent]; !validTraceparent.MatchString(got) {
		t.Errorf("%s = %q, want a W3C trace context", traceparent, got)
	}
}

func TestMalformedTraceparentIsReplaced(t *testing.T) {
	f := uncreated(t)
	malformed := "no trace context in " + f.head.Namespace
	f.head.Annotations = map[string]string{traceparent: malformed, "mine": "kept"}
	if err := f.admin.Create(t.Context(), f.head); err != nil {
		t.Fatalf("creating a Head with a malformed context: %v", err)
	}
	if got := f.head.Annotations[traceparent]; !validTraceparent.MatchString(got) {
		t.Errorf("%s = %q, want a W3C trace context", traceparent, got)
	}
	if f.head.Annotations["mine"] != "kept" {
		t.Errorf("annotations: %v", f.head.Annotations)
	}
	if got := f.logs.lines(malformed); len(got) != 1 {
		t.Errorf("log lines about the context = %d, want 1:\n%s", len(got), strings.Join(got, ""))
	}
}

func TestUserAnnotationsSurvive(t *testing.T) {
	f := uncreated(t)
	mine := map[string]string{
		"mine": "kept", "empty": "", "example.com/long": strings.Repeat("x", 1000),
		"kubectl.kubernetes.io/last-applied-configuration": "{}",
	}
	f.head.Annotations = mine
	if err := f.admin.Create(t.Context(), f.head); err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		f.get(t, f.head)
		got := map[string]string{}
		for key := range mine {
			if value, ok := f.head.Annotations[key]; ok {
				got[key] = value
			}
		}
		if diff := cmp.Diff(mine, got); diff != "" {
			t.Errorf("the user's annotations %s (-want +got):\n%s", when, diff)
		}
	}
	check("after admission")
	f.deploymentIs(t, "created", func(*appsv1.Deployment) error { return nil })
	f.rollOut(t)
	f.headIs(t, true, v1alpha1.ReasonChildReady)
	check("after the status was written")
	f.get(t, f.child)
	for _, obj := range []client.Object{f.child, f.deployment} {
		for key := range mine {
			if _, ok := obj.GetAnnotations()[key]; ok {
				t.Errorf("annotation %s was copied to %T", key, obj)
			}
		}
	}

	f.change(t, f.head, func() {
		mine["mine"] = "changed"
		f.head.Annotations["mine"] = "changed"
		f.head.Spec.ChildA = "example.com/image:2"
	})
	f.deploymentIs(t, "at the new image", func(d *appsv1.Deployment) error {
		if got := d.Spec.Template.Spec.Containers[0].Image; got != "example.com/image:2" {
			return fmt.Errorf("image is %s", got)
		}
		return nil
	})
	f.rollOut(t)
	f.headIs(t, true, v1alpha1.ReasonChildReady)
	check("after a spec change")
}

// TestOwnedObjectsHaveNoContext checks that tracing adds nothing to what the operator creates.
func TestOwnedObjectsHaveNoContext(t *testing.T) {
	f := newReadyFamily(t)
	f.get(t, f.child)
	for _, annotations := range []map[string]string{f.child.Annotations, f.deployment.Annotations, f.deployment.Spec.Template.Annotations} {
		if len(annotations) > 0 {
			t.Errorf("annotations of an owned object = %v, want none", annotations)
		}
	}
}

// TestUpdatesOfTheContext checks which updates of a user the webhook changes.
func TestUpdatesOfTheContext(t *testing.T) {
	const kept, theirs, removed, renewed = "the old context", othersContext, "", "a new context"
	set := func(value string) func(*v1alpha1.Head) {
		return func(h *v1alpha1.Head) { annotation(traceparent, value)(h) }
	}
	remove := func(h *v1alpha1.Head) { withoutContext(h) }
	newImage := func(h *v1alpha1.Head) { h.Spec.ChildA = "example.com/image:2" }
	for name, tc := range map[string]struct {
		trusted bool
		edits   []func(*v1alpha1.Head)
		want    string
		stored  bool // the update raises the resourceVersion
	}{
		"no change":                    {want: kept},
		"label":                        {edits: []func(*v1alpha1.Head){func(h *v1alpha1.Head) { label("team", "a")(h) }}, want: kept, stored: true},
		"removal":                      {edits: []func(*v1alpha1.Head){remove}, want: removed, stored: true},
		"other context":                {edits: []func(*v1alpha1.Head){set(theirs)}, want: kept, stored: true},
		"malformed context":            {edits: []func(*v1alpha1.Head){set("malformed")}, want: kept, stored: true},
		"trusted context":              {trusted: true, edits: []func(*v1alpha1.Head){set(theirs)}, want: theirs, stored: true},
		"new spec":                     {edits: []func(*v1alpha1.Head){newImage}, want: renewed, stored: true},
		"new spec and other context":   {edits: []func(*v1alpha1.Head){newImage, set(theirs)}, want: renewed, stored: true},
		"new spec and removal":         {edits: []func(*v1alpha1.Head){newImage, remove}, want: renewed, stored: true},
		"new spec and trusted context": {trusted: true, edits: []func(*v1alpha1.Head){newImage, set(theirs)}, want: theirs, stored: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newReadyFamily(t)
			before, user := f.head.Annotations[traceparent], f.as(t, "untrusted-user")
			if tc.trusted {
				user = f.as(t, trustedUser)
			}
			for _, edit := range tc.edits {
				edit(f.head)
			}
			version := f.head.ResourceVersion
			if err := user.Update(t.Context(), f.head); err != nil {
				t.Fatal(err)
			}
			got := f.head.Annotations[traceparent]
			switch {
			case got == before:
				got = kept
			case got != theirs && validTraceparent.MatchString(got):
				got = renewed
			}
			if got != tc.want {
				t.Errorf("%s after the update = %q, want %q (before: %q)", traceparent, got, tc.want, before)
			}
			if stored := f.head.ResourceVersion != version; stored != tc.stored {
				t.Errorf("resourceVersion changed = %t, want %t", stored, tc.stored)
			}
		})
	}
}

func TestProbes(t *testing.T) {
	c := cluster(t)
	for _, endpoint := range []string{"healthz", "readyz", "readyz/webhook"} {
		eventually(t, endpoint+" responds", func(ctx context.Context) error { return c.probe(ctx, endpoint) })
	}
}
