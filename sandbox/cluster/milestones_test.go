package cluster

import (
	"context"
	"errors"
	"net/http"
	"os"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/engine/enginetest"
)

// The containerd of the node answers on the second attempt, and no API server starts. watch reaches
// the first milestone only, and ends with its context.
func TestWatch(t *testing.T) {
	f, c := enginetest.New(t), newCluster(t)
	f.Engine("podman", `case "$*" in
*"ctr version") if [ ! -e "$FAKE/second" ]; then touch "$FAKE/second"; echo 'connection refused' >&2; exit 1; fi;;
*) exit 1;;
esac`)
	var err error
	if c, err = New(c.engine, c.name, c.dir); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c.watch(ctx, milestones{
		node: func() {
			if _, err := os.Stat(f.File("podman", "second")); err != nil {
				t.Errorf("watch reached the node before containerd answered: %v", err)
			}
			cancel()
		},
		api: func() { t.Error("watch reached an API server that does not exist") },
	})
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Error("watch did not reach the node")
	}
}

// Callers close a channel in each callback, so a second call would panic.
func TestMilestonesAreReachedOnce(t *testing.T) {
	t.Parallel()
	var reached []string
	m := Spec{
		OnNode: func() { reached = append(reached, "node") }, OnAPIServer: func() { reached = append(reached, "API server") },
	}.milestones()
	m.node()
	m.all()
	m.all()
	if diff := cmp.Diff([]string{"node", "API server"}, reached); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	Spec{}.milestones().all()
}

// Until kind writes the kubeconfig, RESTConfig uses the credentials from the node.
func TestRESTConfigBeforeTheKubeconfig(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	if _, err := c.RESTConfig(); err == nil {
		t.Fatal("RESTConfig without a kubeconfig: got no error")
	}
	var asked atomic.Bool
	serve(t, c, func(http.ResponseWriter, *http.Request) { asked.Store(true) })
	config, err := c.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(c.dir.Kubeconfig()); err != nil {
		t.Fatal(err)
	}
	c.early.Store(config)
	if err := c.ready(t.Context()); err != nil || !asked.Load() {
		t.Errorf("ready: request sent: %t, error %v", asked.Load(), err)
	}
}
