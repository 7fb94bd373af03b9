package session

import (
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

// use is an option that only some kinds of cluster use.
type use struct {
	option string
	kinds  []string
	why    string // why the others do not use it
	// field returns the value, which is empty if the option is not set, and a function that unsets it.
	field func(*Options) (value string, unset func())
}

// uses lists the options that are not for every kind of cluster.
var uses = append([]use{
	{"provider", []string{component.Kind}, "only a kind cluster runs in a container engine", func(o *Options) (string, func()) {
		return text(&o.Provider, "auto")
	}},
	{"images", publishedPrograms(), "published programs run only on Linux", func(o *Options) (string, func()) {
		if o.Images != "registry" {
			return "", nil
		}
		return text(&o.Images)
	}},
	{"bundle", notExisting, "a bundle is for a cluster that the sandbox creates", func(o *Options) (string, func()) {
		return text(&o.Bundle)
	}},
	{"context", onlyExisting, ofExisting, func(o *Options) (string, func()) { return text(&o.Context) }},
	{"kubeconfig", onlyExisting, ofExisting, func(o *Options) (string, func()) { return text(&o.Kubeconfig) }},
	{"registry", onlyExisting, ofExisting, func(o *Options) (string, func()) { return text(&o.Registry) }},
	{"jaeger-endpoint", onlyExisting, ofExisting, func(o *Options) (string, func()) { return text(&o.JaegerEndpoint) }},
	{"jaeger-query", onlyExisting, ofExisting, func(o *Options) (string, func()) { return text(&o.JaegerQuery) }},
	{"jaeger-config", notEmbedded, "the sandbox writes the configuration of an embedded Jaeger", func(o *Options) (string, func()) {
		return text(&o.JaegerConfig, NoJaegerConfig)
	}},
	{"operator-replicas", notEmbedded, "an embedded cluster runs one process of the operator", func(o *Options) (string, func()) {
		if o.OperatorReplicas <= 1 {
			return "", nil
		}
		return strconv.Itoa(o.OperatorReplicas), func() { o.OperatorReplicas = 0 }
	}},
	{"control-plane-tracing", notExisting, "the sandbox does not configure the control plane of an existing cluster", func(o *Options) (string, func()) {
		if o.ControlPlaneTracing == nil || !*o.ControlPlaneTracing {
			return "", nil
		}
		return "true", func() { o.ControlPlaneTracing = nil }
	}},
}, portUses()...)

var (
	onlyExisting = []string{component.Existing}
	notExisting  = []string{component.Kind, component.Embedded}
	notEmbedded  = []string{component.Kind, component.Existing}
)

const ofExisting = "it is about an existing cluster"

// publishedPrograms returns the kinds that can use published images: their programs are for Linux.
func publishedPrograms() []string {
	if runtime.GOOS == "linux" {
		return []string{component.Kind, component.Embedded, component.Existing}
	}
	return notEmbedded
}

// portUses has the ports of Jaeger.
func portUses() (ports []use) {
	for _, p := range component.AllPorts() {
		ports = append(ports, use{p.Flag, notExisting, "Jaeger has no fixed port on this machine; the commands trace and forward choose one",
			func(o *Options) (string, func()) {
				if o.Ports[p.Name] == 0 {
					return "", nil
				}
				return strconv.Itoa(o.Ports[p.Name]), func() { o.Ports = o.Ports.With(p.Name, 0) }
			}})
	}
	return ports
}

// text is the field of a string. Values that mean the same for every kind of cluster count as not set.
func text(field *string, always ...string) (value string, unset func()) {
	if slices.Contains(always, *field) {
		return "", nil
	}
	return *field, func() { *field = "" }
}

// Fit fits the options to a kind of cluster; see [Options.fit]. Without a choice they must fit kind: a
// cluster of the user is not chosen automatically.
func (s *Session) Fit(kind string) (err error) {
	if kind == "auto" || kind == "" {
		kind = component.Kind
	}
	s.Options, err = s.Options.fit(kind)
	return err
}

// fit checks the options against a kind of cluster. An option that this kind does not use is a
// mistake on the command line. The environment and files may be for several sandboxes: their options
// are ignored and get their defaults.
func (o Options) fit(kind string) (Options, error) {
	for _, u := range uses {
		value, unset := u.field(&o)
		if value == "" || slices.Contains(u.kinds, kind) {
			continue
		}
		if o.Origins[u.option] == "" {
			return o, settings.Given("cluster", kind).And(u.option, value).Errorf("%s; omit --%s or use --cluster=%s", u.why, u.option, strings.Join(u.kinds, " or "))
		}
		unset()
	}
	o.setDefaults()
	return o, nil
}
