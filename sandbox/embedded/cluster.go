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

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/pki"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Report is told what a long job is at, in a few words. It may be nil.
type Report func(format string, args ...any)

func (r Report) say(format string, args ...any) {
	if r != nil {
		r(format, args...)
	}
}

// Cluster is the processes of one sandbox. Its methods may be called from several goroutines, Prepare before all others.
type Cluster struct {
	// OperatorPort is the port of the operator's webhook where it listens on that alone; 0 where it can be told another. It is set
	// before Prepare.
	OperatorPort int

	// Tracing has the API server and etcd send spans to Jaeger, of those requests alone whose callers are in system:monitoring and
	// came with a sampled trace context, and makes the operator such a caller. It is set before anything is started, and Jaeger
	// should be started before the API server.
	Tracing bool

	dir   state.Dir
	table process.Table

	mu     sync.Mutex // guards record, which steps that run side by side change
	record *state.Record

	authorities authorities
	aside       string          // where data was put that etcd could not read
	wanted      component.Ports // those that the user asked for
}

// New returns the cluster of a sandbox, which need not run. Programs is the folder below which its programs are. Record is
// read and written; whoever else uses it must not do so while one of the methods runs.
func New(dir state.Dir, programs string, record *state.Record) *Cluster {
	return &Cluster{
		dir:    dir,
		record: record,
		table: process.Table{
			Records: dir.Records(), Logs: dir.Logs(), Mark: dir.Path, Programs: programs,
		},
	}
}

// update changes the record and saves it.
func (c *Cluster) update(change func(*state.Record)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c.record)
	return c.dir.Save(*c.record)
}

// ports is a copy of the record's ports.
func (c *Cluster) ports() (state.ComponentPorts, component.Ports) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.record.ComponentPorts, c.record.Ports
}

// folder is where the files of one process are, made if it is missing.
func (c *Cluster) folder(name string) (string, error) {
	folder := filepath.Join(c.dir.Components(), name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("making the folder of %s: %w", name, state.Remedy(err))
	}
	return folder, nil
}

// RESTConfig is the way to the API server as the sandbox's administrator.
func (c *Cluster) RESTConfig() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.dir.Kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("reading the sandbox's kubeconfig: %w; `make sandbox-up` writes it again", err)
	}
	return config, nil
}

// grace is what each process gets between SIGTERM and SIGKILL: what is thrown away needs no more, and there are four groups of
// them.
const grace = time.Second

// Stop ends one process until it is started again.
func (c *Cluster) Stop(ctx context.Context, name string) error {
	if err := c.table.Stop(ctx, name); err != nil {
		return fmt.Errorf("ending %s: %w", name, state.Remedy(err))
	}
	return nil
}

// Down ends every process, in order, and forgets them. It finds those that no record tells of, too.
func (c *Cluster) Down(ctx context.Context) error {
	return errors.Join(c.endAll(ctx), c.EndStrays(ctx))
}

// stopOrder returns groups of programs in the order in which they are stopped.
func stopOrder() [][]component.Program {
	var groups [][]component.Program
	for _, p := range component.ProgramsOn(component.Embedded) {
		for len(groups) <= p.Stop {
			groups = append(groups, nil)
		}
		groups[p.Stop] = append(groups[p.Stop], p)
	}
	return groups
}

// endAll ends every process but those to keep, and leaves what they wrote. One that can't be ended, or forgotten, keeps no
// other from its end.
func (c *Cluster) endAll(ctx context.Context, keep ...string) error {
	var errs []error
	for _, programs := range stopOrder() {
		var group errgroup.Group
		for _, p := range programs {
			if !slices.Contains(keep, p.Name) {
				group.Go(func() error { return c.table.Stop(ctx, p.Name) })
			}
		}
		errs = append(errs, group.Wait())
	}
	if err := firstOf(errs); err != nil {
		return fmt.Errorf("ending the processes of the sandbox: %w", state.Remedy(err))
	}
	return nil
}

// firstOf gives the first error and says how many others there are: what keeps one process from its end often keeps all, and
// one line is enough to say so.
func firstOf(errs []error) error {
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	default:
		return fmt.Errorf("%w (and %d more)", errs[0], len(errs)-1)
	}
}

// EndStrays ends processes of this sandbox that no record knows: those of a command that was killed, or of a state folder
// that somebody removed. Of what the user runs himself there, kubectl for one, nothing is ended.
func (c *Cluster) EndStrays(ctx context.Context) error {
	strays, err := c.table.Strays(ctx)
	if err != nil {
		return fmt.Errorf("looking for processes that are left: %w", err)
	}
	var errs []error
	for _, programs := range stopOrder() {
		var group errgroup.Group
		for _, stray := range strays {
			known := slices.ContainsFunc(programs, func(p component.Program) bool { return p.Executable() == stray.Name })
			if known && c.uses(stray.Spec.Args) {
				stray.Spec.Grace = grace
				group.Go(func() error { return stray.Stop(ctx) })
			}
		}
		errs = append(errs, group.Wait())
	}
	return firstOf(errs)
}

// uses tells whether arguments name the folders that this sandbox's processes work with. Another sandbox's may be below the same
// folder.
func (c *Cluster) uses(args []string) bool {
	return slices.ContainsFunc(args, func(arg string) bool {
		return slices.ContainsFunc([]string{"components/", "pki/", "etcd"}, func(folder string) bool {
			return strings.Contains(arg, filepath.Join(c.dir.Path, folder))
		})
	})
}

// address is a port on loopback as host:port.
func address(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// authorities are the cluster's, each for one purpose, so that a certificate of one is worth nothing elsewhere.
type authorities struct {
	cluster *pki.Authority // the API server and its clients
	etcd    *pki.Authority // etcd and its only client
	webhook *pki.Authority // the API server towards cert-manager's webhook
}
