package up

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/cluster"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/near"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// ErrNoComponent says that there is no component of that name.
var ErrNoComponent = errors.New("no such component")

// ErrNoProcess says that the components of the cluster are no processes.
var ErrNoProcess = errors.New("stopping a component")

// unknown is ErrNoComponent with what there is.
func unknown(name string, known []string) error {
	return fmt.Errorf("%w %q%s: there are %s", ErrNoComponent, name, near.Hint(name, known), strings.Join(known, ", "))
}

// StopProcess ends one process of an embedded cluster; up brings it back. The caller holds the lock.
func (r *Run) StopProcess(ctx context.Context, name string) error {
	if !r.Embedded() {
		return fmt.Errorf("%w: only an embedded cluster's are; on others they are Pods: use kubectl scale, with the kubeconfig that `sandbox env` names", ErrNoProcess)
	}
	if !slices.Contains(ProcessNames(), name) {
		return unknown(name, ProcessNames())
	}
	return r.processes.Stop(ctx, name)
}

// ProcessNames lists the processes of an embedded cluster.
func ProcessNames() []string { return component.NamesOf(component.ProgramsOn(component.Embedded)) }

// LogNames lists the logs of a sandbox on a kind of cluster: component.Kind, component.Embedded or
// component.Existing.
func LogNames(kind string) []string {
	names := component.NamesOf(component.ProgramsOn(kind))
	if kind == component.Kind {
		return slices.Concat(cluster.NodeLogs(), names)
	}
	return names
}

// LogParts returns the logs that a name of a command line means: one of [LogNames], those of all
// programs of a component, or all logs for "". The error is an ErrNoComponent.
func (r *Run) LogParts(name string) ([]string, error) {
	names := LogNames(r.Record.Cluster)
	switch {
	case name == "":
		return names, nil
	case slices.Contains(names, name):
		return []string{name}, nil
	}
	for _, c := range component.On(r.Record.Cluster) {
		if programs := component.NamesOf(c.Main()); len(programs) > 1 {
			if c.LogGroup() == name {
				return programs, nil
			}
			names = append(names, c.LogGroup())
		}
	}
	return nil, unknown(name, names)
}

// LogOptions choose a part of a log.
type LogOptions struct {
	// Lines is how many of the last lines to begin with; a negative number is all.
	Lines int
	// Since leaves out what is older than that; 0 leaves out nothing. An embedded cluster's logs know no times.
	Since time.Duration
	// Follow goes on with what is written from now on, until the context ends.
	Follow bool
	// Previous is the log of the run before the present one. The node has none.
	Previous bool
}

// ErrLogOption says that an option makes no sense for this log.
var ErrLogOption = errors.New("reading logs")

// Logs copies one of [LogNames] to out. The error wraps fs.ErrNotExist or workload.ErrNoLog where there is none.
func (r *Run) Logs(ctx context.Context, out io.Writer, name string, o LogOptions) error {
	switch {
	case o.Previous && o.Follow:
		return fmt.Errorf("%w: what --previous shows has ended: --follow makes no sense", ErrLogOption)
	case r.Embedded() && o.Since > 0:
		return fmt.Errorf("%w: --since: the logs of an embedded cluster's processes have no times in common: use --tail", ErrLogOption)
	case r.Embedded() && o.Previous:
		return r.processes.Previous(out, name, o.Lines)
	case r.Embedded():
		return r.processes.Follow(ctx, out, name, o.Lines, o.Follow)
	case slices.Contains(cluster.NodeLogs(), name) && o.Previous:
		return fmt.Errorf("%w: --previous: the log of the node's %s goes on from run to run", ErrLogOption, name)
	case slices.Contains(cluster.NodeLogs(), name):
		return r.cluster.Logs(ctx, out, name, strings.HasPrefix(r.Record.NodeImage, artifact.LocalRepository), cluster.LogOptions{Lines: o.Lines, Since: o.Since, Follow: o.Follow})
	}
	target, err := r.Target()
	if err != nil {
		return err
	}
	err = workload.Logs(ctx, target, out, name, workload.LogOptions(o))
	if err != nil && !errors.Is(err, workload.ErrNoLog) && !r.existing {
		return fmt.Errorf("%w; the log of %s may still be read", err, strings.Join(cluster.NodeLogs(), ", "))
	}
	return err
}
