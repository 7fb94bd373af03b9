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

// quiet is how long an operator at rest must not write.
const quiet = 10 * time.Second

// TestEquivalence lives the same life with several flavours of the operator: what
// reaches the API server must be the same, act by act, and so must what is left.
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
	// Each run that has a webhook brings its own configuration.
	if err := s.admin.DeleteAllOf(t.Context(), &admissionregistrationv1.MutatingWebhookConfiguration{}); err != nil {
		t.Fatal(err)
	}
	token := s.token(t)

	const reference = "unwrapped"
	sampled, unsampled := tracingtest.NewTracerProvider(), tracingtest.NewTracerProvider(tracingtest.WithSampler(tracingtest.NeverSample))
	withoutHook, managed := tracingtest.NewTracerProvider(), tracingtest.NewTracerProvider()
	flavours := []flavour{
		// First those that have to wait, with the others beside them.
		{name: "managed, off", provider: noop.NewTracerProvider(), managed: true},
		{name: reference},
		{name: "off", provider: noop.NewTracerProvider()},
		{name: "unsampled", provider: unsampled, webhook: true},
		{name: "sampled", provider: sampled, webhook: true},
		{name: "sampled, no webhook", provider: withoutHook, flag: "--relation=link"},
		{name: "managed, sampled", provider: managed, webhook: true, managed: true},
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
			continue // how many reconciles there are is a matter of time
		}
		if diff := cmp.Diff(want.requests, got.requests); diff != "" {
			t.Errorf("%s: requests (-%s +%s):\n%s", f.name, reference, f.name, diff)
		}
		if diff := cmp.Diff(want.outcomes, got.outcomes); diff != "" {
			t.Errorf("%s: outcomes of the reconciles (-%s +%s):\n%s", f.name, reference, f.name, diff)
		}
	}
	for name, traced := range map[string]*tracingtest.TracerProvider{"sampled": sampled, "sampled, no webhook": withoutHook, "managed, sampled": managed} {
		if n := len(traced.Spans()); n < len(lifetime()) || traced.Unended() != 0 {
			t.Errorf("%s: %d spans, %d of them unended: tracing was not on", name, n, traced.Unended())
		}
	}
	if !slices.ContainsFunc(managed.Spans(), causedByChild) {
		t.Error("no reconcile of a Head says that its ChildA's update caused it: the queue is not wired")
	}
	if slices.ContainsFunc(withoutHook.Spans(), hasRemoteParent) || !slices.ContainsFunc(sampled.Spans(), hasRemoteParent) {
		t.Error("reconciles with --relation=link are children, or those without are not")
	}
	for name, want := range map[string]string{reference: "", "off": "", "managed, off": "", "unsampled": "-00", "sampled": "-01", "sampled, no webhook": "-01", "managed, sampled": "-01"} {
		if n := results[name].headers; (n > 0) != (want != "") {
			t.Errorf("%s: %d requests told the API server of a trace", name, n)
		}
		if got := results[name].context; got != want && (want == "" || !strings.HasSuffix(got, want)) {
			t.Errorf("%s: the Deployment's context is %q, want one that ends in %q", name, got, want)
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

// live plays a whole life and says what came of it.
func (r *equivalenceRun) live(t *testing.T) result {
	t.Helper()
	var out result
	r.play(t, lifetime())
	r.get(t, r.deployment)
	out.context = r.deployment.Annotations[traceparent]
	out.objects = r.normalised(t)
	if r.managed {
		r.staysQuiet(t)
	}
	r.play(t, deletion())
	if left, err := r.versions(t.Context(), r.admin); err != nil || len(left) > 0 {
		t.Errorf("after the deletion: %v, %v", left, err)
	}
	out.requests, out.outcomes, out.headers = r.counted(t), r.outcomes, r.ids.headers()
	return out
}

// staysQuiet touches all objects and then lets time pass.
func (r *equivalenceRun) staysQuiet(t *testing.T) {
	t.Helper()
	r.ids.begin("quiet")
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
		ids := r.ids.all()
		for _, q := range all {
			if q.writes() && ids[q.AuditID] == "quiet" {
				return false, fmt.Errorf("%s %s", q.Verb, q.resource())
			}
		}
		return false, nil
	})
	if !wait.Interrupted(err) {
		t.Errorf("an operator at rest must not write for %s, but: %v", quiet, err)
	}
}

// atRest says what is not yet as it must be when the operator has done its part.
func (r *equivalenceRun) atRest(ctx context.Context, after act) error {
	if left := r.rival.pending(); len(left) > 0 {
		return fmt.Errorf("writes that should have met a conflict have not come: %v", left)
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
			return fmt.Errorf("%T is at generation %d, its status not: %+v", obj, obj.GetGeneration(), s)
		}
		if s.Ready != after.ready && !(after.racing && r.managed) {
			return fmt.Errorf("%T must have ready %t: %+v", obj, after.ready, s)
		}
	}
	return nil
}

// atRestDeleting is atRest for a Head that is on its way out.
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

// token is one of the operator's service account.
func (s *apiServer) token(t *testing.T) string {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: operatorAccount}}
	request := &authenticationv1.TokenRequest{}
	if err := s.admin.SubResource("token").Create(t.Context(), account, request); err != nil {
		t.Fatalf("requesting a token of service account %s/%s: %v", account.Namespace, account.Name, err)
	}
	return request.Status.Token
}
