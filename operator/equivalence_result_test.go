package main

import (
	"context"
	"fmt"
	"maps"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/operator/tracing"
)

// result is the outcome of a run.
type result struct {
	// requests counts the reads from the cache and "verb resource code" by act.
	requests map[string]map[string]int
	// writes are the write requests with their bodies, in their order, by act.
	writes map[string][]string
	// outcomes are the results of the reconciles, in their order.
	outcomes []string
	// objects are the objects before their deletion, without the fields that differ between two runs.
	objects map[string]any
	// context is the context of the Head before its deletion.
	context string
	// headers counts the requests with a trace context in their header.
	headers int
}

// checkReference checks that the operator without tracing sends every request that the scenario is about.
// Otherwise equal results could mean that nothing happened.
func checkReference(t *testing.T, reference result) {
	t.Helper()
	sent := map[string]int{}
	for _, counts := range reference.requests {
		for what, n := range counts {
			sent[what] += n
		}
	}
	for _, what := range []string{
		"create childas.dummy.example.com 201",
		"create deployments.apps 201",
		"delete childas.dummy.example.com 200",
		"patch heads.dummy.example.com 200",
		"patch heads.dummy.example.com 409",
		"patch childas/status.dummy.example.com 200",
		"patch childas/status.dummy.example.com 409",
		"patch heads/status.dummy.example.com 200",
		"patch heads/status.dummy.example.com 409",
		"update childas.dummy.example.com 200",
		"update childas.dummy.example.com 409",
		"update deployments.apps 200",
		"update deployments.apps 409",
		"get *v1alpha1.Head from the cache",
		"get *v1alpha1.ChildA from the cache",
		"get *v1.Deployment from the cache",
	} {
		if sent[what] == 0 {
			t.Errorf("the operator without tracing never did %q: %v", what, sent)
		}
	}
	bodies := 0
	for _, lines := range reference.writes {
		bodies += len(lines)
	}
	if bodies == 0 {
		t.Error("no write of the operator without tracing was recorded")
	}
}

// counted returns the requests by act, once the audit log contains all of them.
func (r *equivalenceRun) counted(t *testing.T) map[string]map[string]int {
	t.Helper()
	var all []request
	eventually(t, "the audit log has all requests", func(context.Context) error {
		var err error
		if all, err = r.audit.requests(); err != nil {
			return err
		}
		missing := r.sent.actsByID()
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
	ids, out := r.sent.actsByID(), r.sent.readsByAct()
	out["watches"] = map[string]int{}
	for _, q := range all {
		act, known := ids[q.AuditID]
		if !known && q.Ref.Namespace == r.namespace {
			act = "unknown"
		}
		if act == "" || q.Ref.Resource == "" || !q.answered() {
			continue
		}
		if q.Verb == "watch" {
			// An API server that has just started refuses or ends some, so their number differs.
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

// normalised returns the stored objects of the run without the fields that differ between two runs: names,
// UIDs, times, and the context of the Head.
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
		if obj, ok := obj.(*v1alpha1.Head); ok {
			u.SetAnnotations(withoutKeys(obj.Annotations))
		}
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
			// The number of its changes depends on which controller detects a drift first.
			observed, _, _ := unstructured.NestedInt64(m, "status", "observedGeneration")
			unstructured.RemoveNestedField(m, "status", "observedGeneration")
			unstructured.RemoveNestedField(m, "metadata", "generation")
			m["observed"] = observed == obj.GetGeneration()
		}
		out[fmt.Sprintf("%T", obj)] = m
	}
	return out
}

// versions returns the UIDs and resource versions of the run's objects, as a reader sees them. It does not
// use a list, which would take a tenth of a second, because the API server has a cache for lists.
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

// withoutKeys returns annotations without the keys of a trace context, or nil if none are left.
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
