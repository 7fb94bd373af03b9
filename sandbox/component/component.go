package component

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
)

// Kinds of clusters, as the record of a sandbox names them.
const (
	Kind     = "kind"     // a node in a container engine
	Embedded = "embedded" // processes of this machine
	Existing = "existing" // a cluster that a kubeconfig of the user names
)

// Component is a row of the table.
type Component struct {
	// Name is the name in status, in labels and in the names of steps.
	Name string
	// Version is the version that the sandbox installs; empty if the user or the node decides it.
	Version string
	// Title is its name in sentences; empty for Name.
	Title string
	// Namespace is the namespace of its objects; empty if its manifests decide it.
	Namespace string
	// Images are its published images, by tag and, if it is known, digest. The images of a component with
	// several Deployments are in the order of Programs. A component of the table without built-in
	// manifests has one image.
	Images []string
	// Programs run the component. The sample has none.
	Programs []Program
	// Ports are the ports of 127.0.0.1 by which the user reaches it.
	Ports []Port
	// Clusters are the kinds of clusters on which it is the sandbox's; nil means all.
	Clusters []string
	// Needs are components that must be ready before it starts. Each component except the control
	// plane also needs that.
	Needs []string
	// Outside are the kinds of clusters on which it does not need the control plane.
	Outside []string
	// Objects, if not nil, returns the objects to apply, for the name by which the cluster knows the
	// image. It is nil for components with a Chart or an installer of their own, which have options.
	Objects func(image string) []map[string]any
	// Chart, if not nil, installs the component.
	Chart *Chart
	// Source says how its programs are built.
	Source Source
	// Check, if not nil, returns an error unless the component serves its users at the addresses of its
	// ports, by the ports' names. Its Deployments are available when it is called.
	Check func(ctx context.Context, addresses map[string]string) error
	// DefinesKinds is true if it has CustomResourceDefinitions.
	DefinesKinds bool
	// Group is the API group of kinds for other components, with its subgroups; empty if it has none.
	Group string
	// Definition is a CustomResourceDefinition that each of its installations has. A cluster of the
	// user may have the component already. If Definition is empty, the sandbox does not look for one.
	Definition string
	// Optional is true if a sandbox is ready without it: a user may delete the sample.
	Optional bool
}

// Program is a process, on an embedded cluster, or a container.
type Program struct {
	// Name is the name of its log and of its process.
	Name string
	// System is true if its Pods are in kube-system. Others belong to the Deployments of the
	// component.
	System bool
	// Labels select its Pods; nil selects all Pods of the component.
	Labels map[string]string
	// Binary is the file name of its executable on an embedded cluster; empty for Name.
	Binary string
	// Stop is the group in which an embedded cluster stops it: smaller numbers first, since a
	// program must stop before the programs that it needs.
	Stop int
	// Account is its service account in the component's Namespace, on an embedded cluster; empty for
	// programs with another identity.
	Account string
	// Args are its arguments on an embedded cluster, after the kubeconfig. ${NAME} is the number of a
	// port of Listens, or a file such as [WebhookClientCA].
	Args []string
	// Listens are its ports on an embedded cluster, without the component's Ports.
	Listens []Listener
	// Answers is an address for checks on an embedded cluster, with ${NAME} as in Args. An http URL
	// must return status 200, and a tls address must accept a connection. If it is empty, the process
	// only has to run.
	Answers string
	// Addon is true if the component is ready without it. An embedded cluster has no add-ons.
	Addon bool
}

// table has the rows in the order in which status shows them.
var (
	table   = []Component{controlPlane, node, certManager, jaeger, operator, sample}
	tableMu sync.RWMutex
)

// All returns the table, in the order in which status shows it.
func All() []Component {
	tableMu.RLock()
	defer tableMu.RUnlock()
	return slices.Clone(table)
}

// Add adds a row to the table, before the sample, until remove is called. Only tests call it: the
// rows of the program are in the table. The alternative is a table that every package is given.
func Add(c Component) (remove func()) {
	tableMu.Lock()
	defer tableMu.Unlock()
	table = slices.Insert(table, len(table)-1, c)
	return func() {
		tableMu.Lock()
		defer tableMu.Unlock()
		table = slices.DeleteFunc(table, func(row Component) bool { return row.Name == c.Name })
	}
}

// On returns the components that a sandbox has on a kind of cluster.
func On(cluster string) []Component {
	return slices.DeleteFunc(All(), func(c Component) bool {
		return c.Clusters != nil && !slices.Contains(c.Clusters, cluster)
	})
}

// Named returns the component with a name of the table; the zero Component if there is none.
func Named(name string) Component {
	return find(All(), func(c Component) bool { return c.Name == name })
}

// find returns the first row that matches; the zero row if there is none.
func find[T any](rows []T, matches func(T) bool) (found T) {
	if i := slices.IndexFunc(rows, matches); i >= 0 {
		found = rows[i]
	}
	return found
}

// ProgramsOn returns the programs of all components on a kind of cluster.
func ProgramsOn(cluster string) []Program {
	var programs []Program
	for _, c := range On(cluster) {
		if cluster == Embedded {
			programs = append(programs, c.Main()...)
		} else {
			programs = append(programs, c.Programs...)
		}
	}
	return programs
}

// Main returns the programs without add-ons.
func (c Component) Main() []Program {
	return slices.DeleteFunc(slices.Clone(c.Programs), func(p Program) bool { return p.Addon })
}

// IsFetched reports whether a kind of cluster needs images or programs for the component.
func (c Component) IsFetched(cluster string) bool { return cluster != Embedded || len(c.Programs) > 0 }

// IsDelivered reports whether a component is transferred to the cluster before its start: its
// images, or its kinds.
func (c Component) IsDelivered(cluster string) bool { return cluster != Embedded || c.DefinesKinds }

// IsOutside reports whether the component does not need the control plane.
func (c Component) IsOutside(cluster string) bool { return slices.Contains(c.Outside, cluster) }

// NamesOutside returns the components that do not need the control plane on a kind of cluster.
func NamesOutside(cluster string) []string {
	var names []string
	for _, c := range On(cluster) {
		if c.IsOutside(cluster) {
			names = append(names, c.Name)
		}
	}
	return names
}

// NamesOf returns the names of programs.
func NamesOf(programs []Program) []string {
	names := make([]string, 0, len(programs))
	for _, p := range programs {
		names = append(names, p.Name)
	}
	return names
}

// ProgramNamed returns a program and its component.
func ProgramNamed(name string) (c Component, p Program, found bool) {
	for _, c := range All() {
		for _, p := range c.Programs {
			if p.Name == name {
				return c, p, true
			}
		}
	}
	return Component{}, Program{}, false
}

// Image returns the published image of a program of the component.
func (c Component) Image(program string) string {
	for i, p := range c.Programs {
		if p.Executable() == program && i < len(c.Images) {
			return c.Images[i]
		}
	}
	return ""
}

// Binaries returns the file names of the programs' executables.
func (c Component) Binaries() []string {
	var names []string
	for _, p := range c.Programs {
		names = append(names, p.Executable())
	}
	return names
}

// Owns reports whether an API group belongs to the component.
func (c Component) Owns(group string) bool {
	return c.Group != "" && (group == c.Group || strings.HasSuffix(group, "."+c.Group))
}

// Called returns the name of the component in sentences.
func (c Component) Called() string { return cmp.Or(c.Title, c.Name) }

// List returns the names of the components for which has returns true, for a sentence.
func List(has func(Component) bool) string {
	var names []string
	for _, c := range All() {
		if has(c) {
			names = append(names, c.Called())
		}
	}
	return strings.Join(names, ", ")
}

// IsVersioned reports whether the sandbox decides the version of a component.
func IsVersioned(c Component) bool { return c.Version != "" }

// IsShared reports whether a cluster of the user may have the component already.
func IsShared(c Component) bool { return c.Definition != "" }

// Executable is the file name of the program on an embedded cluster.
func (p Program) Executable() string { return cmp.Or(p.Binary, p.Name) }

// LogGroup is the name by which `sandbox logs` finds all programs of the component.
func (c Component) LogGroup() string { return strings.ReplaceAll(c.Name, " ", "-") }
