package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/embedded/guard"
	"github.com/operator-tracing/sandbox/sandbox/embedded/snapshot"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/pki"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Report receives progress messages of a few words. It may be nil.
type Report = artifact.Report

// Cluster holds the processes of one sandbox. It is safe for concurrent use after a call of
// Prepare.
type Cluster struct {
	// OperatorPort is the port of the operator's webhook if it is fixed; 0 if it can be configured.
	// Set it before Prepare.
	OperatorPort int

	// Tracing makes the API server and etcd send spans to Jaeger, only for requests with a sampled
	// trace context from callers in system:monitoring. It also makes the operator such a caller.
	// Set it before any process starts. Jaeger should start before the API server.
	Tracing bool

	// Restore, if not nil, is called when etcd runs without data and the API server does not run yet.
	// It returns true if it wrote objects.
	Restore func(context.Context, snapshot.Etcd) bool

	dir   state.Dir
	table process.Table

	mu     sync.Mutex // guards record, which concurrent steps change
	record *state.Record

	guard guard.Guard // the processes that start found ready

	authorities authorities
	aside       string          // path of data that etcd could not read
	wanted      component.Ports // requested by the user
}

// New returns the cluster of a sandbox, running or not. programs is the folder that contains its
// programs. The methods read and write record; the caller must not use it while a method runs.
func New(dir state.Dir, programs string, record *state.Record) *Cluster {
	c := &Cluster{
		dir:    dir,
		record: record,
		table: process.Table{
			Records: dir.Records(), Logs: dir.Logs(), Mark: dir.Path, Programs: programs,
		},
	}
	c.guard.Exited = c.exited
	return c
}

// Guard calls run and ends it if a process exits that was ready before; see [guard.Guard.Run].
func (c *Cluster) Guard(ctx context.Context, run func(context.Context) error) error {
	return c.guard.Run(ctx, run)
}

func (c *Cluster) update(change func(*state.Record)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c.record)
	return c.dir.Save(*c.record)
}

// ports returns the ports in the record: the processes' own ports, and the user's. The maps are never
// modified.
func (c *Cluster) ports() (own, users component.Ports) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.record.ComponentPorts, c.record.Ports
}

// folder returns the folder for the files of one process. It creates a missing folder.
func (c *Cluster) folder(name string) (string, error) {
	folder := filepath.Join(c.dir.Components(), name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("creating the folder of %s: %w", name, state.Remedy(err))
	}
	return folder, nil
}

// RESTConfig returns the configuration of the administrator for clients of the API server.
func (c *Cluster) RESTConfig() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.dir.Kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of the sandbox: %w; run %s to write it again", err, hint.Run("up"))
	}
	return config, nil
}

// grace is the time between SIGTERM and SIGKILL for each process. It is short because the data is
// disposable and four groups stop one after another.
const grace = time.Second

// Stop stops one process.
func (c *Cluster) Stop(ctx context.Context, name string) error {
	if err := c.table.Stop(ctx, name); err != nil {
		return fmt.Errorf("stopping %s: %w", name, state.Remedy(err))
	}
	return nil
}

// Restart restarts a process as it was started last.
func (c *Cluster) Restart(ctx context.Context, name string) error {
	return state.Remedy(c.table.Restart(ctx, name))
}

// Down stops all processes in order and deletes their records. It also stops processes without a
// record.
func (c *Cluster) Down(ctx context.Context) error {
	return errors.Join(c.endAll(ctx), c.EndStrays(ctx))
}

// inStopOrder calls stop for each program of a group at the same time, and for the groups one after
// another. After an error it continues. It returns the first error and the number of other errors in
// one line, because the cause is often the same.
func inStopOrder(stop func(component.Program) error) error {
	var groups [][]component.Program
	for _, p := range component.ProgramsOn(component.Embedded) {
		for len(groups) <= p.Stop {
			groups = append(groups, nil)
		}
		groups[p.Stop] = append(groups[p.Stop], p)
	}
	var errs []error
	for _, programs := range groups {
		var group errgroup.Group
		for _, p := range programs {
			group.Go(func() error { return stop(p) })
		}
		if err := group.Wait(); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 1 {
		return fmt.Errorf("%w (and %d more)", errs[0], len(errs)-1)
	}
	return errors.Join(errs...)
}

// endAll stops all processes except keep. It keeps their data.
func (c *Cluster) endAll(ctx context.Context, keep ...string) error {
	err := inStopOrder(func(p component.Program) error {
		if slices.Contains(keep, p.Name) {
			return nil
		}
		return c.table.Stop(ctx, p.Name)
	})
	if err != nil {
		return fmt.Errorf("stopping the processes of the sandbox: %w", state.Remedy(err))
	}
	return nil
}

// EndStrays stops processes of this sandbox that have no record: the command that started them was
// killed, or the state folder was deleted. It does not stop programs that the user runs, for
// example kubectl.
func (c *Cluster) EndStrays(ctx context.Context) error {
	strays, err := c.table.Strays(ctx)
	if err != nil {
		return fmt.Errorf("finding stray processes: %w", err)
	}
	return inStopOrder(func(p component.Program) error {
		var group errgroup.Group
		for _, stray := range strays {
			if stray.Name == p.Executable() && c.uses(stray.Spec.Args) {
				stray.Spec.Grace = grace
				group.Go(func() error { return stray.Stop(ctx) })
			}
		}
		return group.Wait()
	})
}

// uses reports whether arguments name the folders of this sandbox's processes. Another sandbox may
// have its folder below the same folder.
func (c *Cluster) uses(args []string) bool {
	return slices.ContainsFunc(args, func(arg string) bool {
		return slices.ContainsFunc([]string{"components/", "pki/", "etcd"}, func(folder string) bool {
			return strings.Contains(arg, filepath.Join(c.dir.Path, folder))
		})
	})
}

func address(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// authorities are the certificate authorities of the cluster, each for one purpose: a certificate
// is only valid for that purpose.
type authorities struct {
	cluster *pki.Authority // the API server and its clients
	etcd    *pki.Authority // etcd and its only client
	webhook *pki.Authority // the API server as client of webhooks
}
