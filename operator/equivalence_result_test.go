package main

import (
	"context"
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing"
)

// result is what a run leaves.
type result struct {
	// requests are how often, by act, "verb resource code" came, and the notes of
	// rivalledClient.
	requests map[string]map[string]int
	outcomes []string
	// objects are the objects before their deletion, without what no two have in common.
	objects map[string]any
	// context is that of the Deployment before its deletion.
	context string
	// headers is how many requests told the API server of their trace.
	headers int
}

// checkReference keeps the scenario honest: it counts the requests of the operator
// without tracing, so that equal cannot mean equally nothing.
func checkReference(t *testing.T, reference result) {
	t.Helper()
	total := map[string]int{}
	for _, counts := range reference.requests {
		for what, n := range counts {
			total[what] += n
		}
	}
	want := map[string]int{
		"create childas.dummy.example.com 201":       1,
		"create deployments.apps 201":                2,
		"delete childas.dummy.example.com 200":       1,
		"patch heads.dummy.example.com 200":          1,
		"patch heads.dummy.example.com 409":          1,
		"get *v1.Deployment from the cache":          81,
		"get *v1alpha1.ChildA from the cache":        174,
		"get *v1alpha1.Head from the cache":          88,
		"patch childas/status.dummy.example.com 200": 23,
		"patch childas/status.dummy.example.com 409": 3,
		"patch heads/status.dummy.example.com 200":   22,
		"patch heads/status.dummy.example.com 409":   2,
		"update childas.dummy.example.com 200":       6,
		"update childas.dummy.example.com 409":       4,
		"update deployments.apps 200":                9,
		"update deployments.apps 409":                2,
		"childas.dummy.example.com":                  1,
		"deployments.apps":                           1,
		"heads.dummy.example.com":                    1,
	}
	if diff := cmp.Diff(want, total); diff != "" {
		t.Errorf("requests of the operator without tracing (-want +got):\n%s", diff)
	}
}

// counted gives the requests by act, once the API server has noted all of them.
func (r *equivalenceRun) counted(t *testing.T) map[string]map[string]int {
	t.Helper()
	var all []request
	eventually(t, "the audit log has all requests", func(context.Context) error {
		var err error
		if all, err = r.audit.requests(); err != nil {
			return err
		}
		missing := r.ids.all()
		for _, q := range all {
			if q.answered() {
				delete(missing, q.AuditID)
			}
		}
		if len(missing) > 0 {
			return fmt.Errorf("%d are missing: %v", len(missing), missing)
		}
		return nil
	})
	ids, out := r.ids.all(), r.ids.noted()
	out["watches"] = map[string]int{}
	for _, q := range all {
		act, known := ids[q.AuditID]
		if !known && q.Ref.Namespace == r.namespace {
			act = "nobody knows when"
		}
		if act == "" || q.Ref.Resource == "" || !q.answered() {
			continue
		}
		if q.Verb == "watch" {
			// A young API server refuses some and ends others: that there is one counts.
			out["watches"][q.resource()] = 1
			continue
		}
		if out[act] == nil {
			out[act] = map[string]int{}
		}
		out[act][fmt.Sprint(q.Verb, " ", q.resource(), " ", q.ResponseStatus.Code)]++
	}
	return out
}

// normalised gives the run's objects as they are stored without what is different
// in any two runs: names of their own, times, and the trace context.
func (r *equivalenceRun) normalised(t *testing.T) map[string]any {
	t.Helper()
	out := map[string]any{}
	for _, which := range r.objects() {
		obj := renewed(which)
		r.get(t, obj)
		m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
		if err != nil {
			t.Fatal(err)
		}
		u := unstructured.Unstructured{Object: m}
		u.SetAnnotations(withoutKeys(u.GetAnnotations()))
		u.SetManagedFields(nil)
		owners := u.GetOwnerReferences()
		for i := range owners {
			owners[i].UID = ""
		}
		u.SetOwnerReferences(owners)
		for _, field := range []string{"namespace", "uid", "resourceVersion", "creationTimestamp"} {
			unstructured.RemoveNestedField(m, "metadata", field)
		}
		conditions, _, _ := unstructured.NestedSlice(m, "status", "conditions")
		for _, c := range conditions {
			delete(c.(map[string]any), "lastTransitionTime")
		}
		_ = unstructured.SetNestedSlice(m, conditions, "status", "conditions")
		if _, raced := obj.(*appsv1.Deployment); raced {
			// How often it was changed depends on which controller saw a drift first.
			observed, _, _ := unstructured.NestedInt64(m, "status", "observedGeneration")
			unstructured.RemoveNestedField(m, "status", "observedGeneration")
			unstructured.RemoveNestedField(m, "metadata", "generation")
			m["observed"] = observed == obj.GetGeneration()
		}
		out[fmt.Sprintf("%T", obj)] = m
	}
	return out
}

// versions identifies the run's objects as a reader has them. (Lists would wait a
// tenth of a second each: the API server answers them from a cache of its own.)
func (r *equivalenceRun) versions(ctx context.Context, from client.Reader) (map[string]string, error) {
	out := map[string]string{}
	for _, obj := range r.objects() {
		obj = renewed(obj)
		err := from.Get(ctx, client.ObjectKeyFromObject(obj), obj)
		switch {
		case err == nil:
			out[fmt.Sprintf("%T", obj)] = string(obj.GetUID()) + " " + obj.GetResourceVersion()
		case !apierrors.IsNotFound(err):
			return nil, fmt.Errorf("reading %T %s: %w", obj, obj.GetName(), err)
		}
	}
	return out, nil
}

// withoutKeys gives annotations without those of a trace context, nil for none.
func withoutKeys(annotations map[string]string) map[string]string {
	out := maps.Clone(annotations)
	for _, key := range []string{tracing.TraceparentKey, tracing.TracestateKey, tracing.OriginKey} {
		delete(out, "tracing.k8s.io/"+key)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}
