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
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/operator/tracing"
	"github.com/operator-tracing/sandbox/operator/webhook"
)

// flavour is a way to run the operator. It must not affect what the operator writes.
type flavour struct {
	name string
	// provider is nil for an operator without any wrapper.
	provider trace.TracerProvider
	// webhook is set if the operator admits its Heads.
	webhook bool
	// managed is set if controller-runtime reconciles. Otherwise the test reconciles one object at
	// a time.
	managed bool
	// traced is set if requests must have a trace context in their header.
	traced bool
	// flag is an additional flag of the operator, or empty.
	flag string
}

// equivalenceRun is one flavour of the operator in its own namespace.
type equivalenceRun struct {
	*apiServer
	flavour

	namespace  string
	head       *v1alpha1.Head
	child      *v1alpha1.ChildA
	deployment *appsv1.Deployment

	mgr         ctrl.Manager
	reconcilers []reconciler // none if managed
	conflicter  *conflicter
	sent        *sentRequests
	logs        *logBuffer

	// outcomes are the results of the reconciles, in their order.
	outcomes []string
}

type reconciler struct {
	kind string
	name string // of the object
	reconcile.Reconciler
}

// parsing protects the global variable in which controller-runtime keeps --kubeconfig.
var parsing sync.Mutex

func startRun(t *testing.T, s *apiServer, f flavour, token string) *equivalenceRun {
	t.Helper()
	r := &equivalenceRun{
		apiServer: s, flavour: f, namespace: s.namespace(t),
		conflicter: newConflicter(s.admin), logs: &logBuffer{},
	}
	r.sent = newSentRequests(r.namespace)
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
		"--namespace=" + operatorNamespace,
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

// assemble creates the operator as newManager does, for one namespace and with a conflicter. If the run
// is not managed, there are no controllers.
func (r *equivalenceRun) assemble(opts options, token string) error {
	scheme, err := newScheme()
	if err != nil {
		return err
	}
	traced := tracingOptions(opts, tracing.WithTracerProvider(r.provider), tracing.WithScheme(scheme))
	o := managerOptions(opts, scheme, opts.logger(r.logs))
	o.Cache.DefaultNamespaces = map[string]cache.Config{r.namespace: {}}
	o.Controller.SkipNameValidation = new(true) // several operators are in this process
	o.NewClient = func(cfg *rest.Config, co client.Options) (client.Client, error) {
		c, err := client.New(cfg, co)
		return conflictingClient{c, r.conflicter, r.sent}, err
	}
	cfg := rest.AnonymousClientConfig(r.env.Config)
	cfg.BearerToken, cfg.QPS = token, -1
	cfg.ContentType = runtime.ContentTypeJSON // for Deployments too, to compare bodies as text
	cfg.Wrap(r.sent.wrap)
	if r.provider != nil {
		cfg = tracedConfig(cfg, traced)
	}
	if r.mgr, err = ctrl.NewManager(cfg, o); err != nil {
		return err
	}
	if r.provider != nil {
		r.mgr = tracing.WrapManager(r.mgr, traced...)
	}
	if r.webhook {
		if err := webhook.SetupHead(r.mgr); err != nil {
			return err
		}
	}
	if r.managed {
		return addControllers(r.mgr)
	}
	// A wrapped manager has no controllers to wrap here.
	var heads, children reconcile.Reconciler
	heads, children = newReconcilers(r.mgr)
	if r.provider != nil {
		heads = tracing.WrapReconciler(&v1alpha1.Head{}, heads, traced...)
		children = tracing.WrapReconciler(&v1alpha1.ChildA{}, children, traced...)
	}
	r.reconcilers = []reconciler{{"Head", r.head.Name, heads}, {"ChildA", r.child.Name, children}}
	return nil
}

// start runs the operator until the end of the test. It returns when the caches are synced.
func (r *equivalenceRun) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.mgr.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the operator failed: %v", err)
		}
	})
	for _, obj := range r.objects() {
		if _, err := r.mgr.GetCache().GetInformer(ctx, obj); err != nil { // waits for its sync
			t.Fatalf("waiting for the cache of %T: %v", obj, err)
		}
	}
}

// admitThrough registers the run's webhook for its Heads, and waits until the API server calls it.
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
	eventually(t, "the operator admits Heads", func(ctx context.Context) error {
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

// play plays the acts in order. After each act it waits until the operator is at rest.
func (r *equivalenceRun) play(t *testing.T, acts []act) {
	t.Helper()
	for _, a := range acts {
		r.sent.begin(a.name)
		r.conflicter.arm(a.conflicts)
		if err := a.do(t.Context(), r); err != nil {
			t.Fatalf("%s: %v", a.name, err)
		}
		if r.managed {
			eventually(t, "the operator is at rest after "+a.name, func(ctx context.Context) error { return r.atRest(ctx, a) })
			continue
		}
		r.reconcileToRest(t, a.name)
		if err := r.atRest(t.Context(), a); err != nil {
			t.Fatalf("%s: the operator is at rest too early: %v", a.name, err)
		}
	}
}

// reconcileToRest reconciles one object at a time until a round changes nothing and requests no other
// reconcile.
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

// catchUp waits until the operator's cache is up to date. No client writes at that time.
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
