package cluster

import (
	"context"
	"errors"
	"net/http"
	"os"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A node whose containerd answers at the second try, and which never gets an API server: the first milestone is reached, the
// second is not, and watching ends with its context.
func TestWatch(t *testing.T) {
	f, c := newFakes(t), newCluster(t)
	f.engine("podman", `case "$*" in
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
			if _, err := os.Stat(f.file("podman", "second")); err != nil {
				t.Errorf("the node was there before containerd answered: %v", err)
			}
			cancel()
		},
		api: func() { t.Error("an API server was reached that is not there") },
	})
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Error("the node was not reached")
	}
}

// Who is told of a milestone twice would close a channel twice.
func TestMilestonesAreReachedOnce(t *testing.T) {
	var reached []string
	m := Wanted{
		OnNode: func() { reached = append(reached, "node") }, OnAPIServer: func() { reached = append(reached, "API server") },
	}.milestones()
	m.node()
	m.all()
	m.all()
	if diff := cmp.Diff([]string{"node", "API server"}, reached); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	Wanted{}.milestones().all()
}

// Until kind writes the kubeconfig, the way to the API server is what the node said.
func TestRESTConfigBeforeTheKubeconfig(t *testing.T) {
	c := newCluster(t)
	if _, err := c.RESTConfig(); err == nil {
		t.Fatal("there is a way to a cluster that is not there")
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
		t.Errorf("the API server was asked: %t, %v", asked.Load(), err)
	}
}
