package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace/noop"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/operator/tracing"
	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// quiet is the time in which an operator at rest must not write.
const quiet = 10 * time.Second

// TestEquivalence plays the same scenario with several flavours of the operator. The API server must receive
// the same requests in each act, byte for byte, and the final objects must be the same.
func TestEquivalence(t *testing.T) {
	s, err := startServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	// Each run with a webhook creates its own configuration.
	if err := s.admin.DeleteAllOf(t.Context(), &admissionregistrationv1.MutatingWebhookConfiguration{}); err != nil {
		t.Fatal(err)
	}
	token := s.token(t)

	const reference = "unwrapped"
	sampled, unsampled := tracingtest.NewTracerProvider(), tracingtest.NewTracerProvider(tracingtest.WithSampler(tracingtest.NeverSample))
	withoutHook, managed := tracingtest.NewTracerProvider(), tracingtest.NewTracerProvider()
	flavours := []flavour{
		// The slowest is first. All run in parallel.
		{name: "managed, off", provider: noop.NewTracerProvider(), managed: true},
		{name: reference},
		{name: "off", provider: noop.NewTracerProvider()},
		{name: "unsampled", provider: unsampled, traced: true, webhook: true},
		{name: "sampled", provider: sampled, traced: true, webhook: true},
		{name: "sampled, no webhook", provider: withoutHook, traced: true, flag: "--relation=link"},
		{name: "managed, sampled", provider: managed, traced: true, webhook: true, managed: true},
	}
	results := map[string]result{}
	var mu sync.Mutex
	t.Run("run", func(t *testing.T) {
		for _, f := range flavours {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				got := startRun(t, s, f, token).live(t)
				mu.Lock()
				defer mu.Unlock()
				results[f.name] = got
			})
		}
	})
	if t.Failed() {
		return
	}
	want := results[reference]
	checkReference(t, want)
	for _, f := range flavours {
		got := results[f.name]
		if diff := cmp.Diff(want.objects, got.objects); diff != "" {
			t.Errorf("%s: final objects (-%s +%s):\n%s", f.name, reference, f.name, diff)
		}
		if f.managed {
			continue // the number of reconciles depends on timing
		}
		if diff := cmp.Diff(want.requests, got.requests); diff != "" {
			t.Errorf("%s: requests (-%s +%s):\n%s", f.name, reference, f.name, diff)
		}
		if diff := cmp.Diff(want.writes, got.writes); diff != "" {
			t.Errorf("%s: writes and their bodies (-%s +%s):\n%s", f.name, reference, f.name, diff)
		}
		if diff := cmp.Diff(want.outcomes, got.outcomes); diff != "" {
			t.Errorf("%s: outcomes of the reconciles (-%s +%s):\n%s", f.name, reference, f.name, diff)
		}
	}
	for name, traced := range map[string]*tracingtest.TracerProvider{"sampled": sampled, "sampled, no webhook": withoutHook, "managed, sampled": managed} {
		if n := len(traced.Spans()); n < len(lifetime()) || traced.Unended() != 0 {
			t.Errorf("%s: %d spans, %d of them unended: tracing was off", name, n, traced.Unended())
		}
	}
	if !slices.ContainsFunc(managed.Spans(), causedByChild) {
		t.Error("no reconcile of a Head has the update of its ChildA as its trigger: the queue is not traced")
	}
	if slices.ContainsFunc(withoutHook.Spans(), hasRemoteParent) || !slices.ContainsFunc(sampled.Spans(), hasRemoteParent) {
		t.Error("reconciles with --relation=link have parents, or reconciles without it have none")
	}
	for _, f := range flavours {
		name, want := f.name, map[string]string{"unsampled": "-00", "sampled": "-01", "managed, sampled": "-01"}[f.name]
		if n := results[name].headers; (n > 0) != f.traced {
			t.Errorf("%s: %d requests have a trace context in their header", name, n)
		}
		if got := results[name].context; got != want && (want == "" || !strings.HasSuffix(got, want)) {
			t.Errorf("%s: context of the Head = %q, want one that ends in %q", name, got, want)
		}
	}
}

func causedByChild(s tracingtest.Span) bool {
	trigger, _ := s.Attribute(tracing.ReconcileTriggerKey)
	_, waited := s.Attribute(tracing.ReconcileQueueWaitKey)
	return s.Name == "reconcile Head" && trigger.AsString() == "update ChildA" && waited
}

func hasRemoteParent(s tracingtest.Span) bool {
	return strings.HasPrefix(s.Name, "reconcile ") && s.Parent.SpanID().IsValid()
}

// live plays the whole scenario and returns its result.
func (r *equivalenceRun) live(t *testing.T) result {
	t.Helper()
	var out result
	r.play(t, lifetime())
	r.get(t, r.head)
	out.context = r.head.Annotations[traceparent]
	out.objects = r.normalised(t)
	if r.managed {
		r.staysQuiet(t)
	}
	r.play(t, deletion())
	if left, err := r.versions(t.Context(), r.admin); err != nil || len(left) > 0 {
		t.Errorf("after the deletion: %v, %v", left, err)
	}
	out.requests, out.outcomes = r.counted(t), r.outcomes
	out.writes, out.headers = r.sent.writesByAct()
	return out
}

// staysQuiet changes a label of every object, and checks that the operator does not write.
func (r *equivalenceRun) staysQuiet(t *testing.T) {
	t.Helper()
	r.sent.begin("quiet")
	for _, obj := range r.objects() {
		if err := edit(func(*equivalenceRun) client.Object { return obj }, label("touched", "yes"))(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	err := wait.PollUntilContextTimeout(t.Context(), quiet/20, quiet, false, func(context.Context) (bool, error) {
		all, err := r.audit.requests()
		if err != nil {
			return false, err
		}
		ids := r.sent.actsByID()
		for _, q := range all {
			if q.writes() && ids[q.AuditID] == "quiet" {
				return false, fmt.Errorf("%s %s", q.Verb, q.resource())
			}
		}
		return false, nil
	})
	if !wait.Interrupted(err) {
		t.Errorf("the operator wrote within %s after a change of labels: %v", quiet, err)
	}
}

// atRest returns an error until the operator has finished its work after an act.
func (r *equivalenceRun) atRest(ctx context.Context, after act) error {
	if left := r.conflicter.pending(); len(left) > 0 {
		return fmt.Errorf("writes that must conflict were not sent: %v", left)
	}
	if after.deleting {
		return r.atRestDeleting(ctx, after)
	}
	r.head, r.child, r.deployment = renewed(r.head), renewed(r.child), renewed(r.deployment)
	for _, obj := range r.objects() {
		if err := r.admin.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
			return err
		}
	}
	want := r.head.Spec.ChildA
	if diff := cmp.Diff([]string{want, want}, []string{r.child.Spec.Image, r.deployment.Spec.Template.Spec.Containers[0].Image}); diff != "" {
		return fmt.Errorf("images of ChildA and Deployment (-want +got):\n%s", diff)
	}
	if n := *r.deployment.Spec.Replicas; n != 1 {
		return fmt.Errorf("the Deployment has %d replicas", n)
	}
	for obj, s := range map[client.Object]v1alpha1.ReadyStatus{r.head: r.head.Status, r.child: r.child.Status} {
		c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady)
		if c == nil || s.ObservedGeneration != obj.GetGeneration() || c.ObservedGeneration != obj.GetGeneration() {
			return fmt.Errorf("%T has generation %d, but its status has another: %+v", obj, obj.GetGeneration(), s)
		}
		if s.Ready != after.ready && !(after.racing && r.managed) {
			return fmt.Errorf("%T must have ready %t: %+v", obj, after.ready, s)
		}
	}
	return nil
}

// atRestDeleting is atRest for a Head that is being deleted.
func (r *equivalenceRun) atRestDeleting(ctx context.Context, after act) error {
	r.head, r.child = renewed(r.head), renewed(r.child)
	err := r.admin.Get(ctx, client.ObjectKeyFromObject(r.child), r.child)
	switch {
	case client.IgnoreNotFound(err) != nil:
		return err
	case (err != nil) != (after.child == "gone"), err == nil && r.child.DeletionTimestamp.IsZero():
		return fmt.Errorf("the ChildA must be %s, but it is there: %t, deleted at %v", after.child, err == nil, r.child.DeletionTimestamp)
	}
	err = r.admin.Get(ctx, client.ObjectKeyFromObject(r.head), r.head)
	if err == nil && controllerutil.ContainsFinalizer(r.head, v1alpha1.ChildAFinalizer) != (after.child == "going") {
		return fmt.Errorf("the ChildA is %s, and the Head has the finalizers %v", after.child, r.head.Finalizers)
	}
	return client.IgnoreNotFound(err)
}

// token requests a token of the operator's service account.
func (s *apiServer) token(t *testing.T) string {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: operatorAccount}}
	request := &authenticationv1.TokenRequest{}
	if err := s.admin.SubResource("token").Create(t.Context(), account, request); err != nil {
		t.Fatalf("requesting a token of service account %s/%s: %v", account.Namespace, account.Name, err)
	}
	return request.Status.Token
}
