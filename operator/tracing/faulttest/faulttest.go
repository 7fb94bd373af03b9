package faulttest

import (
	"context"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/inject"
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
	Faults []inject.Fault
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
	// Ignore are paths of fields that are not compared, in addition to those that differ between the
	// clean runs, for example "secrets/web:data.password" or "*:status.attempts".
	Ignore []string
}

// Result is the result of one plan.
type Result struct {
	Plan inject.Plan
	// Target describes the write or trigger of the plan.
	Target   string
	Verdicts []inject.Verdict
	Run      *inject.Run
	// Log are the last lines of the operator's log.
	Log  []string
	Took time.Duration

	clean *inject.Recording
}

// OK reports whether the plan passed.
func (r Result) OK() bool { return len(r.Verdicts) == 0 }

// Explain returns the plan, its target, the verdicts, the writes beside those of the clean run, and
// the last lines of the log.
func (r Result) Explain() string { panic("TODO") }

// Report is the result of Explore.
type Report struct {
	// Clean are the verdicts about the clean runs. If they make plans useless, there are no results.
	Clean     []inject.Verdict
	Recording *inject.Recording
	Matrix    inject.Matrix
	Results   []Result
	Mask      inject.Mask
	// Skipped are the plans for which the budget was too short.
	Skipped []inject.Plan
}

// Failed returns the results that did not pass.
func (r *Report) Failed() []Result { panic("TODO") }

// String returns a table: plans run, passed, failed and pruned by kind of fault.
func (r *Report) String() string { panic("TODO") }

// Run runs the operator once for each plan, each as a subtest, and fails those that do not pass. The
// clean runs are the subtest "clean"; a failure of it ends the test.
func Run(t *testing.T, op Operator, o Options) {
	t.Helper()
	panic("TODO")
}

// Explore does the same without a test, and returns the results. Plans that fail are no error.
func Explore(ctx context.Context, op Operator, o Options) (*Report, error) { panic("TODO") }
