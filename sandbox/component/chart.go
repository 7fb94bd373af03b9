package component

import "slices"

// Chart is a Helm chart in a Go module, which installs a component in its Namespace.
type Chart struct {
	// Module is the Go module that has the chart in Folder. The component's Source requires the
	// component's Version of it.
	Module, Folder string
	// Values returns the values that differ from the chart's defaults.
	Values func(ChartOptions) map[string]any
}

// ChartOptions are what the values of a chart depend on.
type ChartOptions struct {
	// Images are the usual image values of charts (repository, tag, digest and pullPolicy), in the
	// order of the component's programs. If one is nil or missing, the chart's default applies.
	Images []map[string]any
	// Tolerations admit the Pods to the cluster's node; nil means that none are necessary.
	Tolerations []any
	// WebhookAddress is "localhost:PORT" if the API server calls the webhooks of a process; empty if
	// it calls a Service.
	WebhookAddress string
}

// WithChart returns the components that a chart installs.
func WithChart() []Component {
	return slices.DeleteFunc(All(), func(c Component) bool { return c.Chart == nil })
}

// ChartName is the name of the component's chart in caches and bundles.
func (c Component) ChartName() string { return c.Name + "-chart" }

// Source says how the programs of a component are built. They have the component's Version.
type Source struct {
	// Module is the folder of the Go module below the repository's root; empty if no module of this
	// kind builds the component.
	Module string
	// Package is the main package, or "tool" for the tools of the module.
	Package string
	// Output is the file name of the binary. If the component has several programs, they are links to
	// it, and it behaves as the program of the link's name.
	Output string
	// Stamp sets a variable of the program to its version, as the linker's option -X does; it may be
	// empty.
	Stamp string
	// User is the numeric user of its images.
	User string
}
