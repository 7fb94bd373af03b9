package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/operator/controller"
	"github.com/operator-tracing/sandbox/operator/tracing"
)

// flavour is a way to run the operator that must not change what it writes.
type flavour struct {
	name string
	// provider is nil for an operator with none of tracing's wrappers.
	provider trace.TracerProvider
	// webhook is whether Heads are admitted through the operator.
	webhook bool
	// managed lets controller-runtime reconcile. Otherwise the test does, one
	// object at a time.
	managed bool
	// flag is one more for the operator, or empty.
	flag string
}

// equivalenceRun is one flavour of the operator on a namespace of its own.
type equivalenceRun struct {
	*apiServer
	flavour

	namespace  string
	head       *v1alpha1.Head
	child      *v1alpha1.ChildA
	deployment *appsv1.Deployment

	mgr         ctrl.Manager
	reconcilers []reconciler // none where managed
	rival       *rival
	ids         *requestIDs
	logs        *logBuffer

	// outcomes are what the reconciles returned, in their order.
	outcomes []string
}

type reconciler struct {
	kind string
	name string // of the object
	reconcile.Reconciler
}

// parsing is needed since controller-runtime keeps its --kubeconfig in a global.
var parsing sync.Mutex

func startRun(t *testing.T, s *apiServer, f flavour, token string) *equivalenceRun {
	t.Helper()
	r := &equivalenceRun{
		apiServer: s, flavour: f, namespace: s.namespace(t),
		rival: newRival(s.admin), ids: newRequestIDs(), logs: &logBuffer{},
	}
	r.head = &v1alpha1.Head{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: "h"}}
	r.child = &v1alpha1.ChildA{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: "h-child-a"}}
	r.deployment = &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: "h-child-a"}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the operator's log:\n%s", strings.Join(r.logs.tail(40), ""))
		}
	})

	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{
		"--metrics-bind-address=0", "--health-probe-bind-address=0", "--log-level=debug", "--log-format=text",
		"--enable-webhooks=" + strconv.FormatBool(f.webhook),
		"--webhook-host=" + s.env.WebhookInstallOptions.LocalServingHost,
		"--webhook-port=" + strconv.Itoa(port),
		"--webhook-cert-dir=" + s.env.WebhookInstallOptions.LocalServingCertDir,
		"--namespace=" + operatorNamespace, "--service-account=" + operatorAccount,
	}
	if f.flag != "" {
		args = append(args, f.flag)
	}
	parsing.Lock()
	opts, err := parseOptions(args, func(string) (string, bool) { return "", false }, io.Discard)
	parsing.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.assemble(opts, token); err != nil {
		t.Fatal(err)
	}
	r.start(t)
	if f.webhook {
		r.admitThrough(t, port)
	}
	return r
}

// assemble puts the operator together as newManager does, except that it sees one
// namespace only, has a rival, and, if it is not managed, no controllers.
func (r *equivalenceRun) assemble(opts options, token string) error {
	scheme, err := newScheme()
	if err != nil {
		return err
	}
	traced := tracingOptions(opts, scheme, tracing.WithTracerProvider(r.provider))
	o := managerOptions(opts, scheme, traced, opts.logger(r.logs))
	o.Cache.DefaultNamespaces = map[string]cache.Config{r.namespace: {}}
	o.Controller.SkipNameValidation = new(true) // several operators are in this process
	o.NewClient = func(cfg *rest.Config, co client.Options) (client.Client, error) {
		c, err := client.New(cfg, co)
		if err != nil {
			return nil, err
		}
		c = rivalledClient{c, r.rival, r.ids}
		if r.provider == nil {
			return c, nil
		}
		return tracing.WrapClient(c, traced...), nil
	}
	cfg := rest.AnonymousClientConfig(r.env.Config)
	cfg.BearerToken, cfg.QPS = token, -1
	cfg.Wrap(r.ids.wrap)
	if r.provider != nil {
		cfg = tracedConfig(cfg, traced)
	}
	if r.mgr, err = ctrl.NewManager(cfg, o); err != nil {
		return err
	}
	if r.webhook {
		if err := addWebhook(r.mgr, traced); err != nil {
			return err
		}
	}
	switch {
	case r.managed:
		return addControllers(r.mgr, traced)
	case r.provider == nil:
		r.reconcilers = []reconciler{
			{"Head", r.head.Name, &controller.HeadReconciler{Client: r.mgr.GetClient(), Scheme: scheme}},
			{"ChildA", r.child.Name, &controller.ChildAReconciler{Client: r.mgr.GetClient(), Scheme: scheme}},
		}
	default:
		r.reconcilers = []reconciler{
			{"Head", r.head.Name, headReconciler(r.mgr, traced)},
			{"ChildA", r.child.Name, childAReconciler(r.mgr, traced)},
		}
	}
	return nil
}

// start runs the operator until the end of the test. Its caches are synced then.
func (r *equivalenceRun) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.mgr.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the operator ended: %v", err)
		}
	})
	for _, obj := range r.objects() {
		if _, err := r.mgr.GetCache().GetInformer(ctx, obj); err != nil { // waits for its sync
			t.Fatalf("waiting for the cache of %T: %v", obj, err)
		}
	}
}

// admitThrough sends the admission of the run's Heads to its own webhook, and waits
// until the API server does so.
func (r *equivalenceRun) admitThrough(t *testing.T, port int) {
	t.Helper()
	hook := r.env.WebhookInstallOptions.MutatingWebhooks[0].DeepCopy()
	hook.ObjectMeta = metav1.ObjectMeta{Name: "of-" + r.namespace}
	own := &hook.Webhooks[0]
	own.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": r.namespace}}
	was := ":" + strconv.Itoa(r.env.WebhookInstallOptions.LocalServingPort) + "/"
	own.ClientConfig.URL = new(strings.Replace(*own.ClientConfig.URL, was, ":"+strconv.Itoa(port)+"/", 1))
	if err := r.admin.Create(t.Context(), hook); err != nil {
		t.Fatal(err)
	}
	eventually(t, "Heads are admitted through the operator", func(ctx context.Context) error {
		head := r.head.DeepCopy()
		head.Spec.ChildA = "example.com/image:1"
		if err := r.admin.Create(ctx, head, client.DryRunAll); err != nil {
			return err
		}
		if head.Annotations[traceparent] == "" {
			return fmt.Errorf("a dry run has no context: %v", head.Annotations)
		}
		return nil
	})
}

// play does one act after the other and lets the operator come to rest after each.
func (r *equivalenceRun) play(t *testing.T, acts []act) {
	t.Helper()
	for _, a := range acts {
		r.ids.begin(a.name)
		r.rival.arm(a.conflicts)
		if err := a.do(t.Context(), r); err != nil {
			t.Fatalf("%s: %v", a.name, err)
		}
		if r.managed {
			eventually(t, "the operator is at rest after "+a.name, func(ctx context.Context) error { return r.atRest(ctx, a) })
			continue
		}
		r.reconcileToRest(t, a.name)
		if err := r.atRest(t.Context(), a); err != nil {
			t.Fatalf("%s: the operator rests too early: %v", a.name, err)
		}
	}
}

// reconcileToRest reconciles one object at a time until a round changes nothing
// and asks for no other.
func (r *equivalenceRun) reconcileToRest(t *testing.T, act string) {
	t.Helper()
	const rounds = 20
	ctx := ctrl.LoggerInto(t.Context(), r.mgr.GetLogger())
	for range rounds {
		before, err := r.versions(ctx, r.admin)
		if err != nil {
			t.Fatal(err)
		}
		again := false
		for _, c := range r.reconcilers {
			r.catchUp(t)
			req := reconcile.Request{NamespacedName: client.ObjectKey{Namespace: r.namespace, Name: c.name}}
			result, err := c.Reconcile(ctx, req)
			outcome := fmt.Sprintf("%s: reconcile %s: %v, %v", act, c.kind, result, err)
			r.outcomes = append(r.outcomes, strings.ReplaceAll(outcome, r.namespace, "NAMESPACE"))
			again = again || err != nil || !result.IsZero()
		}
		after, err := r.versions(ctx, r.admin)
		if err != nil {
			t.Fatal(err)
		}
		if !again && maps.Equal(before, after) {
			return
		}
	}
	t.Fatalf("%s: no rest after %d rounds: %v", act, rounds, r.outcomes[len(r.outcomes)-4:])
}

// catchUp waits until the operator's cache has what the API server has. Nobody
// writes meanwhile.
func (r *equivalenceRun) catchUp(t *testing.T) {
	t.Helper()
	want, err := r.versions(t.Context(), r.admin)
	if err != nil {
		t.Fatal(err)
	}
	var diff string
	err = wait.PollUntilContextTimeout(t.Context(), 2*time.Millisecond, waitLimit, true, func(ctx context.Context) (bool, error) {
		got, err := r.versions(ctx, r.mgr.GetCache())
		diff = cmp.Diff(want, got)
		return diff == "", err
	})
	if err != nil {
		t.Fatalf("waiting for the operator's cache: %v; last (-server +cache):\n%s", err, diff)
	}
}

func (r *equivalenceRun) objects() []client.Object {
	return []client.Object{r.head, r.child, r.deployment}
}
