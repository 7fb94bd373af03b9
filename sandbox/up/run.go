package up

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/bundle"
	"github.com/operator-tracing/sandbox/sandbox/cluster"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/engine"
	"github.com/operator-tracing/sandbox/sandbox/install"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Run is one sandbox and what its steps have found out so far. A step may use a field that a step it needs has set;
// that is the only rule for their use by several goroutines.
type Run struct {
	Options
	Dir    state.Dir
	Record state.Record
	// Note, if not nil, gets news that a user wants to keep: what was compiled, and how long that took.
	Note func(format string, args ...any)

	builder   *build.Builder
	target    *install.Cluster
	project   *project.Project   // what up was told to run; nil in commands that only look
	manifests *project.Manifests // the same, rendered
	runs      *project.Subject   // what is known of it
	// tracingSwitched tells that this up is to trace the control plane of a sandbox that did not, or the other way round.
	tracingSwitched bool
	kind
	embedded
	shared
}

// kind is what a run on kind has found out.
type kind struct {
	images artifact.Provider
	// bundlePath is the bundle that the images are to be from, or empty, and bundle is that once it was read.
	bundlePath string
	bundle     *bundle.Bundle
	engine     *engine.Engine
	cluster    *cluster.Cluster
	node       cluster.Node
	// What the cluster's making has reached: closed by the step that makes it, see [Run.AwaitNode].
	nodeRuns, apiServes chan struct{}

	certManager []artifact.Image
	jaeger      artifact.Image
	operator    artifact.Image
	// operatorImages are others that its Pods name.
	operatorImages []artifact.Image
}

// Open reads a sandbox's folder. It makes an empty one if there is none. A sandbox that is there keeps its name: under another
// one, its cluster would be lost sight of.
func Open(options Options) (*Run, error) {
	wanted := options.Name
	options, err := options.complete()
	if err != nil {
		return nil, err
	}
	dir, err := state.Open(options.StateDir)
	if err != nil {
		return nil, err
	}
	record, err := dir.Load()
	if err != nil {
		return nil, err
	}
	if record.Name != "" {
		if wanted != "" && wanted != record.Name {
			return nil, fmt.Errorf("%w: --name=%s: the sandbox in %s is called %s: leave --name out, or choose another --state-dir", ErrOption, wanted, dir.Path, record.Name)
		}
		options.Name = record.Name
	}
	return &Run{Options: options, Dir: dir, Record: record}, nil
}

// lockNotice is how long a command waits for the lock before it says what it waits for.
const lockNotice = 500 * time.Millisecond

// Lock keeps other commands from changing the sandbox until unlock is called, and reads the record again: the one that held
// the lock may have changed it. Notice, which may be nil, is told when that takes long.
func (r *Run) Lock(ctx context.Context, notice func(format string, args ...any)) (unlock func(), err error) {
	soon, cancel := context.WithTimeout(ctx, lockNotice)
	unlock, err = r.Dir.Lock(soon)
	cancel()
	if err != nil && ctx.Err() == nil {
		if notice != nil {
			notice("Another command is at work on the sandbox %s: waiting for it.", r.Name)
		}
		unlock, err = r.Dir.Lock(ctx)
	}
	if err != nil {
		return nil, err
	}
	if r.Record, err = r.Dir.Load(); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// useBuilder finds the sources and the cache.
func (r *Run) useBuilder() error {
	if r.builder != nil {
		return nil
	}
	cache, err := state.CachePath()
	if err != nil {
		return err
	}
	if r.bundlePath != "" { // All is built.
		r.builder = &build.Builder{Cache: cache}
		return nil
	}
	folder := r.Source
	if folder == "" {
		folder = "."
	}
	root, err := findSource(folder)
	if err != nil {
		return err
	}
	r.builder = &build.Builder{Root: root, Cache: cache, Built: r.built}
	return nil
}

// built passes on what was compiled.
func (r *Run) built(component string, took time.Duration) {
	if r.Note != nil {
		r.Note("   built %-32s %6.1f s", component, took.Seconds())
	}
}

// ErrDown says that the sandbox was never up, or was taken down.
var ErrDown = errors.New("the sandbox is not up: run `make sandbox-up`")

// Attach connects to the cluster that an earlier up made. The error is ErrDown where none was.
func (r *Run) Attach() (err error) {
	switch {
	case r.Record.Name == "":
		return ErrDown
	case r.Record.Cluster == component.Embedded:
		return r.useProcesses()
	case r.Record.Cluster == component.Existing:
		r.existing, r.wanted = true, r.Record.Target
		return nil
	}
	r.engine = &engine.Engine{Name: r.Record.Provider, ContainersConf: r.Record.ContainersConf}
	r.cluster, err = cluster.New(r.engine, r.Record.Name, r.Dir)
	return err
}

// Target is the API server to install into, made from the cluster's kubeconfig.
func (r *Run) Target() (*install.Cluster, error) {
	if r.target != nil {
		return r.target, nil
	}
	config, err := r.restConfig()
	if err != nil {
		return nil, err
	}
	subject, err := r.Subject()
	if err != nil {
		return nil, err
	}
	target, err := install.NewCluster(config, subject)
	if err != nil {
		return nil, err
	}
	if r.existing {
		target.Share(r.sandboxName())
	}
	r.target = target
	return r.target, nil
}

// sandboxName is the name that the sandbox's objects carry.
func (r *Run) sandboxName() string {
	if r.Record.Name != "" {
		return r.Record.Name
	}
	return r.Name
}

func (r *Run) restConfig() (*rest.Config, error) {
	switch {
	case r.processes != nil:
		return r.processes.RESTConfig()
	case r.cluster != nil:
		return r.cluster.RESTConfig()
	case r.existing:
		return r.existingConfig()
	}
	return nil, ErrDown
}

// Save writes the record.
func (r *Run) Save() error { return r.Dir.Save(r.Record) }

// archive is how the images reach an engine or a node.
func archive(images ...artifact.Image) engine.Archiver {
	return func(out archiveWriter) error { return artifact.Archive(out, images...) }
}

// Down removes everything that up made, but for what can be used again: the caches and the engine's node image. With
// purge it removes these too. From an existing cluster it removes what up added. Report is told what it is at. A sandbox that is not up is no error. Note is told of what others put into the sandbox's folder,
// which is left there.
func (r *Run) Down(ctx context.Context, purge bool, report func(format string, args ...any)) error {
	if err := r.deleteCluster(ctx, report); err != nil {
		return err
	}
	if purge {
		if err := removeCaches(ctx); err != nil {
			return err
		}
	}
	left, err := r.Dir.Remove()
	if len(left) > 0 && r.Note != nil {
		r.Note("%s is not removed: it holds %s, which is not the sandbox's.", r.Dir.Path, left[0])
	}
	return err
}

// deleteCluster deletes the cluster on record. Without a record it looks for processes of this sandbox, and in every engine
// for a cluster that carries its mark, since the record may have been lost; clusters of others are then none of its business.
func (r *Run) deleteCluster(ctx context.Context, report report) error {
	switch err := r.Attach(); {
	case errors.Is(err, ErrDown): // Perhaps only the record is lost.
	case err != nil:
		return err
	case r.existing:
		return r.leaveExisting(ctx, report)
	case r.processes != nil:
		return r.processes.Down(ctx)
	default:
		return r.cluster.Delete(ctx)
	}
	if err := r.useProcesses(); err != nil {
		return err
	}
	if err := r.processes.Down(ctx); err != nil {
		return err
	}
	for _, running := range engine.RunningEngines(ctx) {
		c, err := cluster.New(running, r.Name, r.Dir)
		if err != nil {
			return err
		}
		var foreign *cluster.ForeignError
		if err := c.Delete(ctx); err != nil && !errors.As(err, &foreign) {
			return err
		}
	}
	return nil
}

// removeCaches removes what was built or pulled, and what engines were given of it.
func removeCaches(ctx context.Context) error {
	for _, running := range engine.RunningEngines(ctx) {
		if err := running.RemoveImages(ctx, artifact.LocalRepository); err != nil {
			return fmt.Errorf("removing the sandbox's images from %s: %w", running.Name, err)
		}
	}
	folder, err := state.CachePath()
	if err != nil {
		return err
	}
	return cache.Remove(folder)
}
