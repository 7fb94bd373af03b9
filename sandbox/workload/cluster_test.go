package workload

import (
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
)

// TestCluster uses one API server with the kinds of the reference operator. The subtests are
// parallel and have objects of their own.
func TestCluster(t *testing.T) {
	t.Parallel()
	manifests := applytest.Manifests(t)
	c, err := apply.NewCluster(applytest.Start(t), manifests.Subject())
	if err != nil {
		t.Fatal(err)
	}
	definitions, _ := apply.Split(manifests.Objects)
	if err := apply.Apply(t.Context(), c, definitions); err != nil {
		t.Fatal(err)
	}
	t.Run("Logs", func(t *testing.T) { testPodsAndLogs(t, c) })
	t.Run("Kinds", func(t *testing.T) { testKindCalled(t, c) })
	t.Run("Leases", func(t *testing.T) { testLeases(t, c) })
}
