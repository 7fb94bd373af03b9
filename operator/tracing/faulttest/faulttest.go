package faulttest

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

// Operator is the operator and what the test does with it. Start, Apply and Ready are required.
type Operator struct {
	// Start runs the operator until ctx ends, and returns nil then. It must create a new manager each
	// time and use cfg for all requests. Set SkipNameValidation for the controllers, because several
	// managers run in one process, and no fixed ports (metrics "0"). To see the operator's log in
	// failures, use the logger of ctx (log.FromContext) as the manager's.
	Start func(ctx context.Context, cfg *rest.Config) error
	// Apply creates the object in the namespace.
	Apply func(ctx context.Context, c client.Client, namespace string) error
	// Ready reports whether the operator has done everything, after Apply and after Update. It should
	// check the generation that the operator observed. NotFound and other errors count as not ready.
	Ready func(ctx context.Context, c client.Client, namespace string) (bool, error)
	// Update changes the object. If it is nil, there is no update.
	Update func(ctx context.Context, c client.Client, namespace string) error
	// Delete deletes the object. If it is nil, everything that Apply and Update created is deleted.
	Delete func(ctx context.Context, c client.Client, namespace string) error
	// Gone reports whether the deletion is done. If it is nil, the objects that Apply and Update
	// created must not exist.
	Gone func(ctx context.Context, c client.Client, namespace string) (bool, error)
	// Cluster does the work of other controllers until ctx ends, for example sets the status of
	// Deployments. It is neither killed nor hit by faults. It may be nil.
	Cluster func(ctx context.Context, c client.Client) error
}

// Options configure the runs.
type Options struct {
	// Config is an existing API server, for example of envtest. If it is nil, Run starts envtest,
	// which needs KUBEBUILDER_ASSETS.
	Config *rest.Config
	// CRDs are files or folders with CustomResourceDefinitions that envtest installs.
	CRDs []string
	// Scheme is the scheme of the client for Apply and the others (default client-go's).
	Scheme *runtime.Scheme
	// Only selects plans by their text form, for example "write:3,kill-after" (default all).
	Only []string
	// Faults selects kinds of faults (default all).
	Faults []plan.Fault
	// Full runs plans that the matrix prunes as unlikely to find more.
	Full bool
	// Budget is the time after which no further plan starts (default no limit).
	Budget time.Duration
	// Bound is the time in which a step must be ready (default ten times the slowest step of the
	// clean runs, and 10 s at least).
	Bound time.Duration
	// Quiet is the time without writes after which the operator counts as at rest (default 300 ms).
	// The sandbox uses 10 s. A longer time finds writes that come later, and takes longer.
	Quiet time.Duration
	// Delay, Outage and Hold are as in inject.Options (default 1 s, 1 s and 500 ms).
	Delay, Outage, Hold time.Duration
	// Ignore are paths of fields that are not compared, in addition to the fields that differ between
	// the clean runs, for example "secrets/web:data.password" or "*:status.attempts".
	Ignore []string
}

// Run runs the operator twice without a fault, and then once for each plan, each as a subtest, and
// fails the subtests of plans that do not pass. A plan whose write or event does not come is skipped, because it
// proves nothing. At the end Run logs a table.
func Run(t *testing.T, op Operator, o Options) {
	t.Helper()
	s, err := newSession(t.Context(), op, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("stopping the test API server: %v", err)
		}
	})
	if err := s.clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, v := range s.report.Clean {
		t.Errorf("without a fault: %s", v)
	}
	plans, err := s.plans()
	if err != nil {
		t.Fatal(err)
	}
	if s.oracle == nil {
		t.Fatalf("plans prove nothing until the operator converges without a fault; its log:\n%s", indent(s.report.CleanLog))
	}
	parent := t.Name()
	for _, p := range plans {
		t.Run(p.String(), func(t *testing.T) {
			if s.overBudget(p) {
				t.Skipf("the budget of %s is spent", o.Budget)
			}
			result, err := s.plan(t.Context(), p)
			switch {
			case err != nil:
				t.Fatal(err)
			case !result.Reached() && result.passedOtherwise():
				t.Skip(result.Verdicts[0])
			case !result.OK():
				t.Errorf("%s\nrepeat: go test -run '%s'", result.Explain(), pattern(parent, p.String()))
			}
		})
	}
	t.Log("\n" + s.report.String())
}

// pattern returns the argument of -run for a subtest.
func pattern(parent, name string) string {
	var b strings.Builder
	for element := range strings.SplitSeq(parent+"/"+name, "/") {
		b.WriteString("/^" + regexp.QuoteMeta(element) + "$")
	}
	return b.String()[1:]
}

// Explore does the same without a test, and returns the results. Explore returns no error for plans that fail. It
// returns the report so far with an error.
func Explore(ctx context.Context, op Operator, o Options) (_ *Report, err error) {
	s, err := newSession(ctx, op, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.clean(ctx); err != nil {
		return &s.report, err
	}
	plans, err := s.plans()
	for _, p := range plans {
		if s.overBudget(p) {
			continue
		}
		if _, err := s.plan(ctx, p); err != nil {
			return &s.report, err
		}
	}
	return &s.report, err
}
