package provider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/cluster"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/suggest"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// ErrNoComponent means that no component has that name.
var ErrNoComponent = errors.New("no such component")

// ErrLogOption means that an option does not apply to a log.
var ErrLogOption = errors.New("reading logs")

// ErrNoQuery means that spans go to a Jaeger of the user whose query URL is unknown.
var ErrNoQuery error = &hint.Error{Format: "traces go to a Jaeger of yours that the sandbox was not told how to ask: run %s, with the URL of its web page", Commands: []string{"up --jaeger-query=URL"}}

// Unknown returns an ErrNoComponent with the known names.
func Unknown(name string, known []string) error {
	return fmt.Errorf("%w %q%s: there are %s", ErrNoComponent, name, suggest.Hint(name, known), strings.Join(known, ", "))
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

// LogsNamed returns the logs that a name of the command line selects on a kind of cluster: one of
// [LogNames], all programs of a component, or all logs for "". The error is an ErrNoComponent.
func LogsNamed(kind, name string) ([]string, error) {
	names := LogNames(kind)
	switch {
	case name == "":
		return names, nil
	case slices.Contains(names, name):
		return []string{name}, nil
	}
	groups := LogGroups(kind)
	if !slices.Contains(groups, name) {
		return nil, Unknown(name, slices.Concat(names, groups))
	}
	i := slices.IndexFunc(component.On(kind), func(c component.Component) bool { return c.LogGroup() == name })
	return component.NamesOf(component.On(kind)[i].Main()), nil
}

// LogGroups lists the names that select several logs on a kind of cluster: the components with
// several programs.
func LogGroups(kind string) []string {
	var groups []string
	for _, c := range component.On(kind) {
		if len(c.Main()) > 1 {
			groups = append(groups, c.LogGroup())
		}
	}
	return groups
}

// LogOptions select a part of a log. The logs of an embedded cluster have no times, and the node has no
// previous run.
type LogOptions = workload.LogOptions

// CopyLog copies the log of a process of this machine.
func CopyLog(ctx context.Context, table process.Table, out io.Writer, name string, o LogOptions) error {
	if o.Previous {
		return table.Previous(out, name, o.Lines)
	}
	return table.Follow(ctx, out, name, o.Lines, o.Follow)
}
