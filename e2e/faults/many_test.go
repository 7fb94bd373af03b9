package faults

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

// manyLimit is the timeout for the start of 200 Pods, each of which costs about a second of a
// processor, and their deletion.
const manyLimit = 10 * time.Minute

// TestManyPods starts 200 Pods at once. On a node with few process ids, or with starving daemons,
// containerd and the control plane crash. Each Head must become ready with its own trace, and no
// daemon of the node may restart.
func TestManyPods(t *testing.T) {
	s := newSandbox(t)
	s.up()
	status := s.WantUp()
	before := s.daemons()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), manyLimit)
	defer cancel()
	// The program has its own timeout, after which it prints the late Heads.
	scale := exec.CommandContext(ctx, "go", "run", "./e2e/scale", "--heads=200", "--limit=9m", "--kubeconfig="+status.Kubeconfig, "--jaeger="+status.Jaeger[component.Query])
	scale.Dir = root
	out, err := scale.CombinedOutput()
	t.Logf("%s", out) // The times, and the late Heads.
	if err != nil {
		for _, about := range [][]string{{"status"}, {"logs", "operator", "--tail=40"}, {"logs", "jaeger", "--tail=20"}} {
			text, _ := s.Run(t.Context(), time.Minute, about...)
			t.Logf("%s: %s", about[0], text)
		}
		t.Fatalf("creating 200 Heads: %v", err)
	}
	s.WantUp()
	if after := s.daemons(); before == "" || after != before {
		t.Errorf("the node's daemons = %q, before %q", after, before)
	}
	c := s.client()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "scale"}}
	if err := c.Delete(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	s.Wait(manyLimit, "the namespace to be gone", func() bool {
		return apierrors.IsNotFound(c.Get(t.Context(), client.ObjectKeyFromObject(namespace), namespace))
	})
	s.WantUp()
}

// daemons returns the process IDs of the node's daemons. Not every node has systemctl.
func (s *sandbox) daemons() string {
	return s.engine("exec", node, "sh", "-c", `for p in /proc/[0-9]*; do
		read -r name <"$p/comm" || continue
		case $name in containerd | kubelet) echo "$name ${p#/proc/}" ;; esac
	done`)
}
