package faulttest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/oracle"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard()) // for client-go; the operators have loggers of their own
	m.Run()
}

// TestRun: a correct operator passes. It is killed after each write.
func TestRun(t *testing.T) {
	faulttest.Run(t, operator(false), faulttest.Options{Faults: []plan.Fault{plan.KillAfter}})
}

// apiServer starts an API server for one test.
func apiServer(t *testing.T) *rest.Config {
	t.Helper()
	env := &envtest.Environment{}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	cfg, err := env.Start()
	if err != nil {
		t.Fatalf("starting the API server; set KUBEBUILDER_ASSETS to the output of `make envtest-assets`: %v", err)
	}
	return cfg
}

func TestExplore(t *testing.T) {
	cfg := apiServer(t)
	explore := func(t *testing.T, op faulttest.Operator, o faulttest.Options) *faulttest.Report {
		t.Helper()
		o.Config = cfg
		report, err := faulttest.Explore(t.Context(), op, o)
		if err != nil {
			t.Fatal(err)
		}
		return report
	}

	t.Run("a bug is found", func(t *testing.T) {
		report := explore(t, operator(true), faulttest.Options{
			Faults: []plan.Fault{plan.LostAnswer}, Bound: 3 * time.Second,
		})
		failed := report.Failed()
		if len(report.Clean) > 0 || len(failed) == 0 {
			t.Fatalf("clean %v, report\n%s\nwant a failure", report.Clean, report)
		}
		// The first Secret was created, but the answer was lost: there are two.
		index := slices.IndexFunc(failed, func(r faulttest.Result) bool { return r.Target == "create secrets web-*" })
		if index < 0 {
			t.Fatalf("failed %v, want the create of the Secret", failed)
		}
		result := failed[index]
		text := result.Explain()
		for _, want := range []string{
			"plan write:", "lost-answer at create secrets web-*", "created more often: secrets: got 2 creates, want 1 create",
			"← lost-answer", "+ ", "last log lines", `"Reconciler error"`,
		} {
			if !strings.Contains(text, want) {
				t.Errorf("Explain() lacks %q:\n%s", want, text)
			}
		}
		again := explore(t, operator(true), faulttest.Options{Only: []string{result.Plan.String()}, Bound: 3 * time.Second})
		if len(again.Results) != 1 || again.Results[0].OK() {
			t.Errorf("repeated:\n%s\nwant one failure", again)
		}
	})

	t.Run("no budget", func(t *testing.T) {
		report := explore(t, operator(false), faulttest.Options{Budget: time.Nanosecond})
		if len(report.Results) > 0 || len(report.Skipped) != len(report.Matrix.Plans) || len(report.Skipped) == 0 {
			t.Errorf("%d results, %d skipped, want all of %d plans skipped", len(report.Results), len(report.Skipped), len(report.Matrix.Plans))
		}
	})

	never := operator(false)
	never.Ready = func(context.Context, client.Client, string) (bool, error) { return false, errors.New("no teapot") }
	exits := operator(false)
	exits.Start = func(context.Context, *rest.Config) error { return errors.New("no port") }
	endless := operator(false)
	endless.Start = startWith(func(c client.Client) reconcile.Reconciler { return &restless{Client: c} })
	endless.Ready = func(context.Context, client.Client, string) (bool, error) { return true, nil }
	ownerless := operator(false)
	ownerless.Start = startWith(func(c client.Client) reconcile.Reconciler { return &ownerlessCreator{Client: c} })
	ownerless.Update, ownerless.Ready = nil, endless.Ready
	for name, c := range map[string]struct {
		op    faulttest.Operator
		want  oracle.VerdictKind
		text  string
		plans bool
	}{
		"never ready": {never, oracle.NotReady, "no teapot", false},
		"exits":       {exits, oracle.FailedByItself, "no port", false},
		"endless":     {endless, oracle.Endless, "configmaps web", false},
		"ownerless":   {ownerless, oracle.LeftOver, "Secret web", true},
	} {
		t.Run(name, func(t *testing.T) {
			report := explore(t, c.op, faulttest.Options{Bound: 3 * time.Second, Budget: time.Nanosecond})
			if len(report.Clean) == 0 || report.Clean[0].Kind != c.want || !strings.Contains(report.Clean[0].String(), c.text) {
				t.Errorf("clean = %v, want %q with %q", report.Clean, c.want, c.text)
			}
			if plans := len(report.Matrix.Plans) > 0; plans != c.plans {
				t.Errorf("%d plans, want some: %t", len(report.Matrix.Plans), c.plans)
			}
		})
	}
}

// restless writes whenever it sees its own write.
type restless struct{ client.Client }

func (r *restless) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	obj := &corev1.ConfigMap{}
	if err := r.Get(ctx, req.NamespacedName, obj); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	obj.Data["at"] = time.Now().String()
	return ctrl.Result{}, client.IgnoreNotFound(r.Update(ctx, obj))
}

// ownerlessCreator forgets the owner reference, so nothing deletes the Secret.
type ownerlessCreator struct{ client.Client }

func (r *ownerlessCreator) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if err := r.Get(ctx, req.NamespacedName, &corev1.ConfigMap{}); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	child := &corev1.Secret{}
	child.Namespace, child.Name = req.Namespace, req.Name
	return ctrl.Result{}, client.IgnoreAlreadyExists(r.Create(ctx, child))
}

func TestIncompleteOperator(t *testing.T) {
	t.Parallel()
	op := operator(false)
	op.Ready = nil
	if _, err := faulttest.Explore(t.Context(), op, faulttest.Options{}); err == nil || !strings.Contains(err.Error(), "set Start, Apply and Ready") {
		t.Errorf("Explore() = %v, want an error", err)
	}
}
