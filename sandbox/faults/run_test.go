package faults

import (
	"context"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/oracle"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/faults/report"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/project"
)

// inProcess is a proxy without a listener: the operator's client uses its round tripper.
type inProcess struct {
	mu   sync.Mutex
	wrap func(http.RoundTripper) http.RoundTripper
}

func (p *inProcess) URL() string { return "" }

func (p *inProcess) Use(wrap func(http.RoundTripper) http.RoundTripper) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wrap = wrap
}

func (p *inProcess) current() func(http.RoundTripper) http.RoundTripper {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wrap
}

// goroutine is an operator that creates a ConfigMap for each one with a label, with a generated name
// that it records in an annotation of the first.
type goroutine struct {
	config *rest.Config
	proxy  *inProcess
	// careful makes it find the child by its owner, and restless makes it write all the time.
	careful, restless bool

	mu     sync.Mutex
	cancel context.CancelFunc
	done   chan struct{}
}

const (
	label      = "test.example.com/parent"
	annotation = "test.example.com/child"
)

func (o *goroutine) Start(context.Context, string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cancel != nil {
		return nil
	}
	cfg := rest.CopyConfig(o.config)
	cfg.Wrap(o.proxy.current())
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Logger: logr.Discard(), Metrics: metricsserver.Options{BindAddress: "0"}, Controller: config.Controller{SkipNameValidation: new(true)},
	})
	if err != nil {
		return err
	}
	r := &reconciler{Client: mgr.GetClient(), reader: mgr.GetAPIReader(), o: o}
	if err := ctrl.NewControllerManagedBy(mgr).For(&corev1.ConfigMap{}).Complete(r); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	o.cancel, o.done = cancel, make(chan struct{})
	go func(done chan struct{}) {
		defer close(done)
		_ = mgr.Start(ctx) // Its requests fail after a kill.
	}(o.done)
	return nil
}

func (o *goroutine) Kill(context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cancel != nil {
		o.cancel()
		o.cancel = nil
	}
	return nil
}

func (o *goroutine) Exited() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cancel == nil {
		return &process.DiedError{Name: "operator"}
	}
	return nil
}

func (o *goroutine) Log(int) string { return "the log" }

type reconciler struct {
	client.Client

	reader client.Reader
	o      *goroutine
}

func (r *reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	owner := &corev1.ConfigMap{}
	if err := r.Get(ctx, req.NamespacedName, owner); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if owner.Labels[label] == "" || owner.DeletionTimestamp != nil {
		return ctrl.Result{}, nil
	}
	before := owner.DeepCopy()
	if r.o.restless {
		metav1.SetMetaDataAnnotation(&owner.ObjectMeta, annotation, time.Now().String())
		return ctrl.Result{RequeueAfter: 50 * time.Millisecond}, r.Patch(ctx, owner, client.MergeFrom(before))
	}
	if owner.Annotations[annotation] != "" {
		return ctrl.Result{}, nil
	}
	child := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: owner.Namespace, GenerateName: owner.Name + "-"}}
	if r.o.careful {
		list := &corev1.ConfigMapList{}
		if err := r.reader.List(ctx, list, client.InNamespace(owner.Namespace)); err != nil {
			return ctrl.Result{}, err
		}
		for i := range list.Items {
			if metav1.IsControlledBy(&list.Items[i], owner) {
				child = &list.Items[i]
			}
		}
	}
	if child.Name == "" {
		if err := errors.Join(controllerutil.SetControllerReference(owner, child, r.Scheme()), r.Create(ctx, child)); err != nil {
			return ctrl.Result{}, err
		}
	}
	metav1.SetMetaDataAnnotation(&owner.ObjectMeta, annotation, child.Name)
	return ctrl.Result{}, r.Patch(ctx, owner, client.MergeFrom(before))
}

// collect does the work of the garbage collector and the namespace controller, until ctx ends.
func collect(ctx context.Context, clients kubernetes.Interface) {
	for ctx.Err() == nil {
		maps, err := clients.CoreV1().ConfigMaps("").List(ctx, metav1.ListOptions{})
		for i := range maps.Items {
			m := &maps.Items[i]
			orphan := len(m.OwnerReferences) > 0 && !slices.ContainsFunc(maps.Items, func(o corev1.ConfigMap) bool { return o.UID == m.OwnerReferences[0].UID })
			if err == nil && orphan {
				_ = clients.CoreV1().ConfigMaps(m.Namespace).Delete(ctx, m.Name, metav1.DeleteOptions{}) // Repeated.
			}
		}
		namespaces, _ := clients.CoreV1().Namespaces().List(ctx, metav1.ListOptions{}) // Repeated.
		for i := range namespaces.Items {
			ns := &namespaces.Items[i]
			if ns.DeletionTimestamp == nil {
				continue
			}
			_ = clients.CoreV1().ConfigMaps(ns.Name).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}) // Repeated.
			ns.Spec.Finalizers = nil
			_, _ = clients.CoreV1().Namespaces().Finalize(ctx, ns, metav1.UpdateOptions{}) // Repeated.
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// TestRun runs plans with operators against a real API server.
func TestRun(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("KUBEBUILDER_ASSETS is unset: run `make envtest-assets` and set it to the printed folder, or use `make test-short`")
	}
	env := &envtest.Environment{}
	cfg, err := env.Start()
	if err != nil {
		t.Fatalf("starting the API server: %v", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Errorf("stopping the API server: %v", err)
		}
	})
	clients := kubernetes.NewForConfigOrDie(cfg)
	go collect(t.Context(), clients)
	run := func(t *testing.T, o *goroutine, change func(*Options)) (*report.Report, error) {
		t.Helper()
		return runPlans(t.Context(), t, cfg, o, change)
	}
	kill := plan.Plan{Index: 1, Fault: plan.KillAfter}

	t.Run("a bug is found", func(t *testing.T) {
		r, err := run(t, &goroutine{}, func(o *Options) { o.Only = []plan.Plan{kill} })
		if err != nil || len(r.Plans) != 1 || r.Plans[0].Outcome != report.Failed {
			t.Fatalf("Run = %+v, %v; want one failed plan", r, err)
		}
		text := r.Plans[0].Text(r.Clean)
		for _, want := range []string{"created more often", "create configmaps parent-*", "apply ConfigMap", "the log", "Repeat it: repeat write:1,kill-after"} {
			if !strings.Contains(text, want) {
				t.Errorf("the failure lacks %q:\n%s", want, text)
			}
		}
	})
	t.Run("a careful operator passes", func(t *testing.T) {
		r, err := run(t, &goroutine{careful: true}, func(o *Options) {
			o.Only = []plan.Plan{kill, {Index: 2, Fault: plan.KillBefore}, {Index: 1, Fault: plan.LostAnswer}, {Index: 1, Fault: plan.WatchCut}}
		})
		if err != nil || !r.OK() || len(r.Plans) != 4 {
			t.Errorf("Run = %+v, %v; want four plans that pass", r, err)
		}
	})
	t.Run("plans are listed", func(t *testing.T) {
		r, err := run(t, &goroutine{careful: true}, func(o *Options) { o.List = true })
		if err != nil || len(r.Plans) < 10 || r.Plans[0].Plan != kill.String() || len(r.Clean.Writes) != 2 {
			t.Errorf("Run = %+v, %v; want the plans of two writes", r, err)
		}
	})
	t.Run("an unknown plan", func(t *testing.T) {
		var unknown *UnknownPlanError
		if _, err := run(t, &goroutine{careful: true}, func(o *Options) { o.Only = []plan.Plan{{Index: 9, Fault: plan.KillAfter}} }); !errors.As(err, &unknown) {
			t.Errorf("Run = %v, want an UnknownPlanError", err)
		}
	})
	t.Run("an operator that writes endlessly", func(t *testing.T) {
		r, err := run(t, &goroutine{restless: true}, func(o *Options) { o.cleanBound = 2 * time.Second })
		if err != nil || !strings.Contains(r.Problem, string(oracle.Endless)) || len(r.Plans) > 0 {
			t.Errorf("Run = %+v, %v; want the problem that it writes endlessly", r, err)
		}
	})
	t.Run("an interrupt", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r, err := runPlans(ctx, t, cfg, &goroutine{careful: true}, func(o *Options) {
			o.Step = func(name string) func(string, bool) {
				if strings.Contains(name, "1 of") && !strings.Contains(name, "clean") {
					cancel()
				}
				return func(string, bool) {}
			}
		})
		if !errors.Is(err, context.Canceled) || !r.Interrupted || len(r.Plans) > 0 || len(r.Skipped) < 10 {
			t.Errorf("Run = %+v, %v; want the report so far", r, err)
		}
	})
	t.Run("nothing is left", func(t *testing.T) {
		list, err := clients.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
		for i := range list.Items {
			if ns := &list.Items[i]; strings.HasPrefix(ns.Name, namespacePrefix) && ns.DeletionTimestamp == nil {
				t.Errorf("namespace %s is left", ns.Name)
			}
		}
		if err != nil || apierrors.IsNotFound(err) {
			t.Error(err)
		}
	})
}

// runPlans runs the plans that the options select.
func runPlans(ctx context.Context, t *testing.T, cfg *rest.Config, o *goroutine, change func(*Options)) (*report.Report, error) {
	t.Helper()
	o.config, o.proxy = cfg, &inProcess{}
	sample := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "parent", "namespace": "default", "labels": map[string]any{label: "true"}},
	}}
	cluster, err := apply.NewCluster(cfg, project.Subject{Samples: []*unstructured.Unstructured{sample}})
	if err != nil {
		t.Fatal(err)
	}
	options := Options{
		Cluster: cluster, Operator: o, Proxy: o.proxy, Samples: []*unstructured.Unstructured{sample}, Quiet: 300 * time.Millisecond,
		Repeat: func(plan plan.Plan) string { return "repeat " + plan.String() },
		Step:   func(string) func(string, bool) { return func(string, bool) {} },
	}
	change(&options)
	defer func() { _ = o.Kill(ctx) }() // It returns nil.
	return Run(ctx, options)
}
