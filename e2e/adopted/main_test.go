package adopted

import (
	"os"
	"testing"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/operator-tracing/sandbox/e2e/faults/rig"
)

func TestMain(m *testing.M) {
	ctrllog.SetLogger(logr.Discard()) // Its client wants one.
	os.Exit(rig.Main(m))
}
