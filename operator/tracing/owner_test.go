package tracing

import (
	"context"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// ownedBy makes the Deployment "owner" the controller of d.
func ownedBy(uid types.UID, controller bool) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) {
		d.OwnerReferences = append(d.OwnerReferences, metav1.OwnerReference{
			APIVersion: "apps/v1", Kind: "Deployment", Name: "owner", UID: uid, Controller: &controller,
		})
	}
}

// ownedReconcile is a reconcile of the Deployment "owned", which reads its owner and then writes.
type ownedReconcile struct {
	owner, owned *appsv1.Deployment
	ownerFirst   bool // the owner is read before the object
	unread       bool // the owner is not read
	ready        bool // it makes the object Ready, instead of another write
	opts         []Option
}

func (tc ownedReconcile) run(t *testing.T) (spans []tracingtest.Span, lines []string) {
	t.Helper()
	tp := tracingtest.NewTracerProvider()
	opts := append([]Option{WithTracerProvider(tp)}, tc.opts...)
	server := newFakeServer(t, tc.owner, tc.owned)
	c := WrapClient(server, opts...)
	var logged logLines
	r := WrapReconciler(&appsv1.Deployment{}, reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		l := log.FromContext(ctx)
		get := func(key client.ObjectKey, obj client.Object) {
			if err := c.Get(ctx, key, obj); err != nil {
				t.Fatal(err)
			}
		}
		var owner, owned appsv1.Deployment
		if tc.ownerFirst {
			get(client.ObjectKeyFromObject(tc.owner), &owner)
		}
		get(req.NamespacedName, &owned)
		l.Info("before the owner")
		if !tc.ownerFirst && !tc.unread {
			get(client.ObjectKeyFromObject(tc.owner), &owner)
		}
		l.Info("after the owner")
		if tc.ready {
			setReady(&owned, corev1.ConditionTrue, time.Now())
			return reconcile.Result{}, c.Status().Update(ctx, &owned)
		}
		return reconcile.Result{}, c.Create(ctx, configMap("child"))
	}), opts...)
	if _, err := r.Reconcile(log.IntoContext(t.Context(), logged.logger()), requestFor(tc.owned)); err != nil {
		t.Fatal(err)
	}
	return tp.Spans(), logged.lines
}

// TestOwnersContext: the context of the owner counts for an object without a context, if the
// reconcile read the owner.
func TestOwnersContext(t *testing.T) {
	sc, own := sampledContext(1), sampledContext(2)
	uid := deployment("owner").UID
	const ofOwner, ofObject = "child of the owner's", "child of the object's"
	type edits []func(*appsv1.Deployment)
	ready := func(d *appsv1.Deployment) { setReady(d, corev1.ConditionTrue, time.Now().Add(-20*time.Minute)) }
	later := func(d *appsv1.Deployment) { d.Generation++ }
	invalid := func(d *appsv1.Deployment) { d.Annotations = map[string]string{parentKey: "garbage"} }
	for name, tc := range map[string]struct {
		owner, owned edits
		read         ownedReconcile
		want         string
	}{
		"fresh":                       {edits{carries(sc, 0)}, edits{ownedBy(uid, true)}, ownedReconcile{}, ofOwner},
		"read before the object":      {edits{carries(sc, 0)}, edits{ownedBy(uid, true)}, ownedReconcile{ownerFirst: true}, ofOwner},
		"not read":                    {edits{carries(sc, 0)}, edits{ownedBy(uid, true)}, ownedReconcile{unread: true}, generationNew},
		"stale":                       {edits{carries(sc, 2*time.Hour)}, edits{ownedBy(uid, true)}, ownedReconcile{}, generationLinked},
		"owner converged long ago":    {edits{carries(sc, 30*time.Minute), ready}, edits{ownedBy(uid, true)}, ownedReconcile{}, generationLinked},
		"object converged long ago":   {edits{carries(sc, 30*time.Minute)}, edits{ownedBy(uid, true), ready}, ownedReconcile{}, ofOwner},
		"another generation":          {edits{carries(sc, 0), later}, edits{ownedBy(uid, true)}, ownedReconcile{}, generationLinked},
		"object's generation is 2":    {edits{carries(sc, 0)}, edits{ownedBy(uid, true), later}, ownedReconcile{}, ofOwner},
		"object has a context":        {edits{carries(sc, 0)}, edits{ownedBy(uid, true), carries(own, 0)}, ownedReconcile{}, ofObject},
		"object's context is invalid": {edits{carries(sc, 0)}, edits{ownedBy(uid, true), invalid}, ownedReconcile{}, ofOwner},
		"owner's context is invalid":  {edits{invalid}, edits{ownedBy(uid, true)}, ownedReconcile{}, generationNew},
		"owner without a context":     {nil, edits{ownedBy(uid, true)}, ownedReconcile{}, generationNew},
		"owner, not controller":       {edits{carries(sc, 0)}, edits{ownedBy(uid, false)}, ownedReconcile{}, generationNew},
		"another of that name":        {edits{carries(sc, 0)}, edits{ownedBy("earlier-uid", true)}, ownedReconcile{}, generationNew},
		"owner without a UID":         {edits{carries(sc, 0), func(d *appsv1.Deployment) { d.UID = "" }}, edits{ownedBy("", true)}, ownedReconcile{}, generationNew},
		"no owner":                    {edits{carries(sc, 0)}, nil, ownedReconcile{}, generationNew},
		"stale, always a child":       {edits{carries(sc, 2*time.Hour)}, edits{ownedBy(uid, true)}, ownedReconcile{opts: []Option{WithRelation(RelationChild)}}, ofOwner},
		"fresh, always a link":        {edits{carries(sc, 0)}, edits{ownedBy(uid, true)}, ownedReconcile{opts: []Option{WithRelation(RelationLink)}}, staleLink},
	} {
		t.Run(name, func(t *testing.T) {
			run := tc.read
			run.owner, run.owned = deployment("owner", tc.owner...), deployment("owned", tc.owned...)
			spans, lines := run.run(t)
			s := spanNamed(t, spans, "reconcile Deployment")
			got := relationWords(run.owned, sc, relation{parent: s.Parent, links: s.Links})
			switch {
			case got == child:
				got = ofOwner
			case s.Parent.SpanID() == own.SpanID():
				got = ofObject
			}
			if got != tc.want {
				t.Errorf("%s (parent %v, links %v), want %s", got, s.Parent, s.Links, tc.want)
			}
			early, late := tc.want == ofObject || tc.want == ofOwner && run.ownerFirst, tc.want == ofObject || tc.want == ofOwner
			for i, want := range []bool{early, late} {
				line := lines[len(lines)-2+i] // an invalid context adds a line before
				if got := strings.Contains(line, `"trace_id"="`+s.Context.TraceID().String()+`"`); got != want || strings.Contains(line, "trace_id") != want {
					t.Errorf("logged %s, which has the trace's id: %t, want %t", line, got, want)
				}
			}
		})
	}
}

// TestConvergeOfOwned: the span "converge" is in the trace of the reconciles, whatever the age of
// the owner's context.
func TestConvergeOfOwned(t *testing.T) {
	sc := sampledContext(1)
	for policy, want := range map[Relation]string{RelationAuto: child, RelationLink: staleLink} {
		run := ownedReconcile{
			owner: deployment("owner", carries(sc, 5*time.Hour)), owned: deployment("owned", ownedBy(deployment("owner").UID, true)),
			ready: true, opts: []Option{WithConverge(&appsv1.Deployment{}), WithRelation(policy)},
		}
		spans, _ := run.run(t)
		s := spanNamed(t, spans, "converge Deployment")
		if got := relationWords(run.owned, sc, relation{parent: s.Parent, links: s.Links}); got != want {
			t.Errorf("%s: %s, want %s", policy, got, want)
		}
		if age := s.End.Sub(s.Start); age > time.Minute {
			t.Errorf("%s: started %s ago at the owner's change, want the object's", policy, age)
		}
	}
}

// TestConvergeByPolicy: the stored context is the parent whatever its age, or a link. The start is
// the same in both cases.
func TestConvergeByPolicy(t *testing.T) {
	sc := sampledContext(1)
	for policy, want := range map[Relation]string{RelationAuto: child, RelationChild: child, RelationLink: staleLink} {
		owner := deployment("owner", carries(sc, 5*time.Hour))
		spans, err := recordReconcile(t, newFakeServer(t, owner), []Option{WithConverge(&appsv1.Deployment{}), WithRelation(policy)},
			func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
				setReady(d, corev1.ConditionTrue, time.Now())
				return c.Status().Update(ctx, d)
			})
		if err != nil {
			t.Fatal(err)
		}
		s := spanNamed(t, spans, "converge Deployment")
		if got := relationWords(owner, sc, relation{parent: s.Parent, links: s.Links}); got != want {
			t.Errorf("%s: %s, want %s", policy, got, want)
		}
		if age := s.End.Sub(s.Start); age < 4*time.Hour {
			t.Errorf("%s: duration %s, want the time since the start of the change", policy, age)
		}
	}
}
