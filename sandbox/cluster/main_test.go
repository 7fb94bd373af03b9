package cluster

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"github.com/operator-tracing/sandbox/sandbox/engine"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

var update = flag.Bool("update", false, "write the golden files in testdata")

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m)
}

// newCluster returns a cluster called test on a fake podman that counts as probed.
func newCluster(t *testing.T) *Cluster {
	t.Helper()
	dir, err := state.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	podman := &engine.Engine{Name: "podman", Host: &engine.Host{CgroupV2: true, Mount: true}}
	return &Cluster{engine: podman, name: "test", dir: dir, log: &kindLogger{}, nodeRuns: newMilestone(), apiServes: newMilestone()}
}
