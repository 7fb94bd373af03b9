package cluster

import (
	"context"
	"errors"
	"net/http"
	"os"
	"sync/atomic"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/engine/enginetest"
)

// The node exists at the second attempt, its containerd answers at the second attempt, and no API
// server starts. watch reaches the first milestone only, and ends with its context.
func TestWatch(t *testing.T) {
	f, c := enginetest.New(t), newCluster(t)
	f.Engine("podman", `case "$*" in
*containerd.sock*) if [ ! -e "$FAKE/first" ]; then touch "$FAKE/first"; echo 'no such container' >&2; exit 125; fi;;
*"ctr version") if [ ! -e "$FAKE/second" ]; then touch "$FAKE/second"; echo 'connection refused' >&2; exit 1; fi;;
*) exit 1;;
esac`)
	var err error
	if c, err = New(c.engine, c.name, c.dir); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c.nodeRuns.reach = func() {
		if _, err := os.Stat(f.File("podman", "second")); err != nil {
			t.Errorf("watch reached the node before containerd answered: %v", err)
		}
		cancel()
	}
	c.apiServes.reach = func() { t.Error("watch reached an API server that does not exist") }
	c.watch(ctx)
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Error("watch did not reach the node")
	}
}

// The waits end with their milestone or with the context. A milestone can be reached several times.
func TestMilestones(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	c.nodeRuns.reach()
	c.nodeRuns.reach()
	if err := c.AwaitNode(ctx, nil); err != nil {
		t.Errorf("AwaitNode() = %v", err)
	}
	stopped := errors.New("stopped")
	cancel(stopped)
	if err := c.AwaitAPIServer(ctx, nil); !errors.Is(err, stopped) {
		t.Errorf("AwaitAPIServer() = %v, want %v", err, stopped)
	}
	c.allReached()
	if err := c.AwaitAPIServer(t.Context(), nil); err != nil {
		t.Errorf("AwaitAPIServer() after allReached = %v", err)
	}
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
