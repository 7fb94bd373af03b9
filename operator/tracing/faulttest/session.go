package faulttest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilrand "k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/inject"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/oracle"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

const (
	minBound = 10 * time.Second
	// maxTries is how often a plan runs whose write or event did not come.
	maxTries = 3
)

// session runs one operator many times against one API server.
type session struct {
	op  Operator
	o   Options
	cfg *rest.Config

	http   *http.Client // without faults
	base   *url.URL
	mapper meta.RESTMapper
	stop   func() error
	// collects is set if the cluster has no garbage collector.
	collects bool
	prefix   string // of the namespaces
	runs     int
	began    time.Time

	mu        sync.Mutex
	resources []plan.Resource // that any run wrote

	oracle *oracle.Oracle
	report Report
}

// newSession starts an API server, unless the options have one.
func newSession(ctx context.Context, op Operator, o Options) (_ *session, err error) {
	if op.Start == nil || op.Apply == nil || op.Ready == nil {
		return nil, errors.New("incomplete Operator; set Start, Apply and Ready")
	}
	o.Scheme = cmp.Or(o.Scheme, scheme.Scheme)
	o.Quiet = cmp.Or(o.Quiet, 300*time.Millisecond)
	o.Delay = cmp.Or(o.Delay, time.Second)
	o.Outage = cmp.Or(o.Outage, time.Second)
	o.Hold = cmp.Or(o.Hold, 500*time.Millisecond)
	s := &session{
		op: op, o: o, cfg: o.Config, began: time.Now(),
		prefix: "faults-" + utilrand.String(5) + "-", stop: func() error { return nil },
	}
	if s.cfg == nil {
		if err := s.startServer(); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	s.cfg = rest.CopyConfig(s.cfg)
	if s.http, err = rest.HTTPClientFor(s.cfg); err != nil {
		return nil, fmt.Errorf("creating a client: %w", err)
	}
	if s.base, _, err = rest.DefaultServerUrlFor(s.cfg); err != nil {
		return nil, fmt.Errorf("creating a client: %w", err)
	}
	if s.mapper, err = apiutil.NewDynamicRESTMapper(s.cfg, s.http); err != nil {
		return nil, fmt.Errorf("creating a client: %w", err)
	}
	s.collects, err = s.lacksCollector(ctx)
	return s, err
}

func (s *session) startServer() error {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return errors.New("KUBEBUILDER_ASSETS is unset; set it to the folder with kube-apiserver and etcd, or set Options.Config")
	}
	env := &envtest.Environment{CRDDirectoryPaths: s.o.CRDs, ErrorIfCRDPathMissing: true}
	var err error
	if s.cfg, err = env.Start(); err != nil {
		return errors.Join(fmt.Errorf("starting the test API server: %w", err), env.Stop())
	}
	s.stop = env.Stop
	return nil
}

// client returns a client whose requests the injector sees.
func (s *session) client(i *inject.Injector) (client.Client, error) {
	cfg := rest.CopyConfig(s.cfg)
	if i != nil {
		cfg.Wrap(i.Wrap)
	}
	return client.New(cfg, client.Options{Scheme: s.o.Scheme, Mapper: s.mapper})
}

// clean does the runs without a fault, and decides on the plans.
func (s *session) clean(ctx context.Context) error {
	runs := make([]*oracle.Run, 2)
	for i := range runs {
		result, err := s.once(ctx, plan.Plan{})
		if err != nil {
			return err
		}
		runs[i] = result.Run
		if i == 0 {
			s.report.Recording = result.Run.Recording
		}
		s.report.CleanLog = result.Log
		if _, verdicts := oracle.Learn(runs[:i+1]); slices.ContainsFunc(verdicts, isFatal) {
			s.report.Clean = verdicts
			return nil
		}
	}
	s.oracle, s.report.Clean = oracle.Learn(runs, s.o.Ignore...)
	if s.oracle == nil {
		return nil
	}
	s.report.Mask = s.oracle.Mask()
	s.report.Matrix = plan.NewMatrix(s.report.Recording, plan.MatrixOptions{
		Others: []*plan.Recording{runs[1].Recording}, Full: s.o.Full,
	})
	return nil
}

func isFatal(v oracle.Verdict) bool { return v.Kind != oracle.LeftOver }

// plans returns the plans that the options select.
func (s *session) plans() ([]plan.Plan, error) {
	if s.oracle == nil {
		return nil, nil
	}
	if len(s.o.Only) == 0 {
		return slices.DeleteFunc(slices.Clone(s.report.Matrix.Plans), func(p plan.Plan) bool {
			return len(s.o.Faults) > 0 && !slices.Contains(s.o.Faults, p.Fault)
		}), nil
	}
	var out []plan.Plan
	for _, text := range s.o.Only {
		plan, err := plan.Parse(text)
		if err != nil {
			return nil, err
		}
		out = append(out, plan)
	}
	return out, nil
}

// overBudget reports whether no more plans may start. It then notes the plan as skipped.
func (s *session) overBudget(p plan.Plan) bool {
	if s.o.Budget == 0 || time.Since(s.began) < s.o.Budget {
		return false
	}
	s.report.Skipped = append(s.report.Skipped, p)
	return true
}

// plan runs a plan, again if its write or event did not come.
func (s *session) plan(ctx context.Context, p plan.Plan) (Result, error) {
	for try := 1; ; try++ {
		result, err := s.once(ctx, p)
		if err != nil {
			return Result{}, fmt.Errorf("running plan %s: %w", p, err)
		}
		if result.Reached() || !result.passedOtherwise() || try == maxTries {
			s.report.Results = append(s.report.Results, result)
			return result, nil
		}
	}
}

// know adds the resources that a run wrote, and returns all.
func (s *session) know(recordings ...*plan.Recording) []plan.Resource {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, recording := range recordings {
		for _, r := range recording.Resources() {
			if !slices.Contains(s.resources, r) {
				s.resources = append(s.resources, r)
			}
		}
	}
	return slices.Clone(s.resources)
}

// newNamespace creates the namespace of a run.
func (s *session) newNamespace(ctx context.Context, c client.Client) (string, error) {
	s.runs++
	ns := namespaceObject(fmt.Sprint(s.prefix, s.runs))
	if err := c.Create(ctx, ns); err != nil {
		return "", fmt.Errorf("creating namespace %s: %w", ns.GetName(), err)
	}
	return ns.GetName(), nil
}

// namespaceObject returns a Namespace for a client whose scheme may not know the type.
func namespaceObject(name string) *unstructured.Unstructured {
	ns := &unstructured.Unstructured{}
	ns.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"})
	ns.SetName(name)
	return ns
}
