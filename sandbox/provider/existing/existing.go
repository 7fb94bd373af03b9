// Package existing runs a sandbox on a cluster that a kubeconfig of the user names. It adds what the
// cluster lacks, after the user agreed, and Down removes exactly that. It never writes the kubeconfig of
// the user: [Find] and [Source.Copy] copy one context of it.
package existing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/cluster"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/manifest"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/provider/pods"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// Cluster implements [provider.Cluster].
type Cluster struct {
	session *session.Session
	pods    pods.Pods
	// wanted is the record's Target once the user agreed.
	wanted  state.Target
	changes []string

	// Images are loaded into nodes, or pushed to folder, or public: then the cluster pulls them.
	nodes  *cluster.Nodes
	folder *artifact.Folder
	public bool
	// pushed are the references of images in the registry, by the images' names.
	pushed   map[string]manifest.Image
	pushedMu sync.Mutex

	forward   *Forward
	ports     component.Ports
	forwardMu sync.Mutex
}

var (
	_ provider.Cluster    = (*Cluster)(nil)
	_ provider.Consenting = (*Cluster)(nil)
)

// Attach returns the cluster of a session that is up.
func Attach(s *session.Session) *Cluster {
	c := &Cluster{session: s, wanted: s.Record.Target}
	c.pods = pods.Pods{Session: s, Reference: c.reference, Shared: true}
	s.Connect(c.RESTConfig, true)
	return c
}

// New connects to the cluster of the context in the options, and compares its objects with the
// objects that up applies. It does not change the cluster.
func New(ctx context.Context, s *session.Session, report provider.Report) (*Cluster, error) {
	c := Attach(s)
	source, err := c.findContext()
	if err != nil {
		return c, err
	}
	if source != nil {
		if err := source.Copy(s.Dir.Kubeconfig()); err != nil {
			return c, state.Remedy(err)
		}
		c.wanted.Context, c.wanted.Server = source.Context, source.Server
	}
	target, err := s.Target()
	if err != nil {
		return c, err
	}
	uid, err := workload.UID(ctx, target)
	if err != nil {
		return c, fmt.Errorf("asking the cluster of context %s: %w", c.wanted.Context, err)
	}
	if before := s.Record.Target.UID; before != "" && before != uid {
		return c, fmt.Errorf("the context %s leads to another cluster than when the sandbox %s was made: choose another --name, or, if that cluster is gone, remove the folder %s",
			c.wanted.Context, s.Name, s.Dir.Path)
	}
	c.wanted.UID = uid
	if err := c.chooseJaeger(); err != nil {
		return c, err
	}
	if err := c.chooseDelivery(ctx, report); err != nil {
		return c, err
	}
	report("comparing its objects")
	if err := c.survey(ctx, target, report); err != nil {
		return c, err
	}
	report("existing: %s at %s, images %s", c.wanted.Context, c.wanted.Server, c.describeDelivery())
	return c, nil
}

// Load returns the cluster of a session that is up for a new build of its operator.
func Load(ctx context.Context, s *session.Session, report provider.Report) (*Cluster, error) {
	c := Attach(s)
	err := c.chooseDelivery(ctx, report)
	return c, err
}

// findContext returns the context that the options name, or the sandbox's. It returns nil if the
// user's kubeconfig no longer has the sandbox's: the sandbox's copy is used then.
func (c *Cluster) findContext() (*Source, error) {
	s := c.session
	name := s.Context
	if name == "" {
		name = s.Record.Target.Context
	}
	if name == "" {
		return nil, settings.Given("cluster", component.Existing).Errorf("name the cluster by --context=NAME, a context of your kubeconfig; `kubectl config get-contexts` lists them")
	}
	if on := s.Record.Target.Context; on != "" && on != name {
		return nil, fmt.Errorf("the sandbox %s is on the context %s: take it down first (%s), or choose another --name", s.Name, on, hint.Run("down"))
	}
	source, err := Find(s.Kubeconfig, name)
	if err == nil {
		return &source, nil
	}
	if _, missing := os.Stat(s.Dir.Kubeconfig()); missing == nil && s.Record.Name != "" && s.Context == "" && s.Kubeconfig == "" {
		return nil, nil
	}
	if errors.Is(err, ErrNoContext) {
		err = settings.Given("context", name).Errorf("%w", err)
	}
	return nil, err
}

// chooseJaeger selects the sandbox's Jaeger or the user's, as the options or the record say.
func (c *Cluster) chooseJaeger() error {
	s := c.session
	was := s.Record.Target.JaegerEndpoint
	switch {
	case s.JaegerEndpoint == "":
	case s.Record.Name != "" && was == "":
		return settings.Given("jaeger-endpoint", s.JaegerEndpoint).Errorf("the sandbox %s has a Jaeger of its own; run %s first", s.Name, hint.Run("down"))
	default:
		c.wanted.JaegerEndpoint = s.JaegerEndpoint
	}
	if s.JaegerQuery != "" {
		if c.wanted.JaegerEndpoint == "" {
			return settings.Given("jaeger-query", s.JaegerQuery).Errorf("it is about a Jaeger of yours; add --jaeger-endpoint")
		}
		c.wanted.JaegerQuery = s.JaegerQuery
	}
	if c.wanted.JaegerEndpoint != "" && s.JaegerConfig != "" && s.JaegerConfig != session.NoJaegerConfig {
		return settings.Given("jaeger-config", s.JaegerConfig).Errorf("the sandbox %s sends to a Jaeger of yours at %s", s.Name, c.wanted.JaegerEndpoint)
	}
	return nil
}

// Prepare writes the record, so that Down finds the cluster whatever happens, and selects where
// images come from.
func (c *Cluster) Prepare(ctx context.Context, report provider.Report) error {
	s := c.session
	s.Record.Name, s.Record.Cluster, s.Record.Target = s.Name, component.Existing, c.wanted
	if err := s.KeepJaegerConfig(); err != nil {
		return err
	}
	if err := s.Save(); err != nil {
		return err
	}
	if err := s.ChooseImages(ctx, report); err != nil {
		return err
	}
	s.Record.Images = s.ImageSource.Origin()
	report("context %s, images from %s", c.wanted.Context, s.Record.Images)
	return nil
}

// Start installs a component, unless it belongs to the user.
func (c *Cluster) Start(ctx context.Context, part component.Component, report provider.Report) error {
	if about, own := c.own(part.Name); own {
		report("%s", about)
		return nil
	}
	if part.Name == component.Operator {
		telemetry, err := c.telemetry()
		if err != nil {
			return err
		}
		c.pods.Telemetry = telemetry
	}
	return c.pods.Start(ctx, part, report)
}

func (c *Cluster) own(name string) (about string, own bool) {
	switch {
	case c.wanted.Found[name] != "":
		return c.wanted.Found[name] + ", as it is", true
	case name == component.Jaeger && c.wanted.JaegerEndpoint != "":
		return "yours at " + c.wanted.JaegerEndpoint, true
	}
	return "", false
}

// Logs copies the log of a component.
func (c *Cluster) Logs(ctx context.Context, out io.Writer, name string, o provider.LogOptions) error {
	target, err := c.session.Target()
	if err != nil {
		return err
	}
	return workload.Logs(ctx, target, out, name, o)
}

// Alive implements [provider.Access].
func (c *Cluster) Alive(ctx context.Context) error {
	_, err := c.ask(ctx)
	return err
}
