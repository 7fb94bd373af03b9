package e2e

import (
	"context"
	"slices"
	"testing"

	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/operator-tracing/sandbox/e2e/harness"
)

var suite harness.Suite

func TestMain(m *testing.M) { harness.Main(m, &suite) }

// The requirements of features: an API server with the operator, additionally Pods that become
// ready, or additionally a kubelet that runs containers. An embedded cluster has no kubelet; see
// the lists in testdata.
const (
	needs         = "needs"
	needAPIServer = "apiserver"
	needPods      = "pods"
	needKubelet   = "kubelet"
)

// feature is a feature of e2e-framework with its own fixture. It has run when all of its assessments
// have ended.
type feature struct {
	name    string
	builder *features.FeatureBuilder
	fixture *harness.Fixture
	steps   int
	done    int
}

func newFeature(name, needed string) *feature {
	f := &feature{name: name, builder: features.New(name).WithLabel(needs, needed)}
	f.builder.Setup(func(ctx context.Context, t *testing.T, _ *envconf.Config) context.Context {
		t.Helper()
		f.fixture = suite.Cluster.NewFixture(ctx, t)
		return ctx
	})
	return f
}

// step is the data of an assessment: its test, and the feature's fixture.
type step struct {
	*testing.T
	*harness.Fixture
}

// assess adds an assessment. A fatal failure of the assessment ends the feature.
func (f *feature) assess(what string, do func(context.Context, *step)) *feature {
	f.steps++
	f.builder.Assess(what, func(ctx context.Context, t *testing.T, _ *envconf.Config) context.Context {
		t.Helper()
		do(ctx, &step{T: t, Fixture: f.fixture})
		f.done++ // A skip does not reach this line.
		return ctx
	})
	return f
}

// runBeside runs the feature in parallel with other features that do not change the operator, the
// webhook, the nodes and Jaeger.
func (f *feature) runBeside(t *testing.T) {
	t.Helper()
	t.Parallel()
	f.run(t)
}

// run runs the feature while no other feature runs.
func (f *feature) run(t *testing.T) {
	t.Helper()
	if need := f.builder.Feature().Labels()[needs]; slices.Contains(need, needKubelet) && !suite.Cluster.RunsContainers() {
		return // The list of this kind of cluster has the reason.
	}
	suite.Cluster.Environment().Test(t, f.builder.Feature())
	if f.done == f.steps {
		suite.Features.Ran(t.Name() + ": " + f.name)
	}
}
