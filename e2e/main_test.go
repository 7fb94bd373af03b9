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

// Every feature says what it needs: an API server with the operator, beyond that
// Pods that become ready, whatever runs in them, or a kubelet that runs containers.
// Only an embedded cluster lacks the last, see the lists in testdata.
const (
	needs         = "needs"
	needAPIServer = "apiserver"
	needPods      = "pods"
	needKubelet   = "kubelet"
)

// feature is one of e2e-framework's with a scene of its own. It counts as run
// when each of its assessments came to its end.
type feature struct {
	name    string
	builder *features.FeatureBuilder
	scene   *harness.Scene
	steps   int
	done    int
}

func newFeature(name, needed string) *feature {
	f := &feature{name: name, builder: features.New(name).WithLabel(needs, needed)}
	f.builder.Setup(func(ctx context.Context, t *testing.T, _ *envconf.Config) context.Context {
		t.Helper()
		f.scene = suite.Cluster.NewScene(ctx, t)
		return ctx
	})
	return f
}

// step is what an assessment has in hand: its test, and the feature's scene.
type step struct {
	*testing.T
	*harness.Scene
}

// assess adds an assessment. One that fails for good ends the feature.
func (f *feature) assess(what string, do func(context.Context, *step)) *feature {
	f.steps++
	f.builder.Assess(what, func(ctx context.Context, t *testing.T, _ *envconf.Config) context.Context {
		t.Helper()
		do(ctx, &step{T: t, Scene: f.scene})
		f.done++ // not reached by a skip
		return ctx
	})
	return f
}

// runBeside tests the feature beside others that leave the operator, the webhook, the
// nodes and Jaeger as they are.
func (f *feature) runBeside(t *testing.T) {
	t.Helper()
	t.Parallel()
	f.run(t)
}

// run tests the feature while no other runs.
func (f *feature) run(t *testing.T) {
	t.Helper()
	if need := f.builder.Feature().Labels()[needs]; slices.Contains(need, needKubelet) && !suite.Cluster.RunsContainers() {
		return // The list of this kind of cluster says so.
	}
	suite.Cluster.Environment().Test(t, f.builder.Feature())
	if f.done == f.steps {
		suite.Features.Ran(t.Name() + ": " + f.name)
	}
}
