// Package pods installs components whose programs are Pods. The providers kind and existing share
// it.
package pods

import (
	"context"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/engine"
	"github.com/operator-tracing/sandbox/sandbox/manifest"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// Pods fetches images and installs components. Its methods can be called by several goroutines for
// different components.
type Pods struct {
	*session.Session
	// Reference returns how the cluster names an image; nil means [Local].
	Reference func(artifact.Image) manifest.Image
	// Telemetry is the address to which the operator sends spans; the zero value means the node.
	Telemetry project.Telemetry
	// Shared is true on a cluster of the user.
	Shared bool

	images map[string][]artifact.Image
	mu     sync.Mutex
}

// Images returns the images of a component that was fetched. The first image of the operator is
// the operator's own.
func (p *Pods) Images(name string) []artifact.Image {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.images[name]
}

// SetImages sets the images of a component.
func (p *Pods) SetImages(name string, images ...artifact.Image) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.images == nil {
		p.images = map[string][]artifact.Image{}
	}
	p.images[name] = images
}

// Fetch gets a component's images from ImageSource. Images of the user may also come from engine,
// which can be nil; others is false if the cluster pulls the operator's other images itself.
func (p *Pods) Fetch(ctx context.Context, c component.Component, engine *engine.Engine, others bool, report provider.Report) error {
	images, err := p.fetch(ctx, c, engine, others, report)
	if err == nil {
		p.SetImages(c.Name, images...)
	}
	return err
}

func (p *Pods) fetch(ctx context.Context, c component.Component, engine *engine.Engine, others bool, report provider.Report) ([]artifact.Image, error) {
	if c.Name != component.Operator {
		return p.ImageSource.Images(ctx, c.Name, report)
	}
	operator, err := p.Operator(ctx, engine, report)
	if err != nil || !others {
		return []artifact.Image{operator}, err
	}
	more, err := p.OtherImages(ctx, engine, report)
	return append([]artifact.Image{operator}, more...), err
}

// Start installs a component and waits until it is ready.
func (p *Pods) Start(ctx context.Context, c component.Component, report provider.Report) error {
	switch c.Name {
	case component.Jaeger:
		return p.startJaeger(ctx, report)
	case component.Operator:
		return p.startOperator(ctx, report)
	case component.Sample:
		return p.StartSample(ctx, report)
	}
	return p.startFromTable(ctx, c, report)
}

// startFromTable installs a component that the table describes completely.
func (p *Pods) startFromTable(ctx context.Context, c component.Component, report provider.Report) error {
	options := manifest.TableOptions{Shared: p.Shared}
	for _, image := range p.Images(c.Name) {
		options.Images = append(options.Images, p.reference(image))
	}
	var err error
	if c.Chart != nil {
		if options.ChartDir, err = p.Chart(ctx, c, report); err != nil {
			return err
		}
	}
	rendered, err := manifest.FromTable(c, options)
	if err != nil {
		return err
	}
	if err := p.install(ctx, rendered, report); err != nil {
		return err
	}
	return p.await(ctx, c)
}

func (p *Pods) await(ctx context.Context, c component.Component) error {
	if c.Check == nil {
		return nil
	}
	return apply.Poll(ctx, "waiting for "+c.Name, func(ctx context.Context) error {
		addresses := provider.AddressesOf(p.Record.Ports)
		delete(addresses, component.UI) // Its gate starts later, and checks it.
		return c.Check(ctx, addresses)
	})
}

// Local names an image that the node already has: nodes never pull.
func Local(i artifact.Image) manifest.Image {
	return manifest.Image{Ref: i.Name(), PullPolicy: corev1.PullNever}
}

func (p *Pods) reference(i artifact.Image) manifest.Image {
	if p.Reference != nil {
		return p.Reference(i)
	}
	return Local(i)
}

func (p *Pods) startJaeger(ctx context.Context, report provider.Report) error {
	image := p.Images(component.Jaeger)[0]
	options := manifest.JaegerOptions{Image: p.reference(image), Shared: p.Shared}
	if p.Record.ComponentPorts[component.JaegerPage] != 0 {
		options.Password = p.Record.JaegerPassword
	}
	var err error
	if options.Config, err = p.ReadJaegerConfig(); err != nil {
		return err
	}
	built, err := image.FromSource()
	if err != nil {
		return err
	}
	if built { // The Go module of Jaeger has no web page.
		if options.Page, err = session.JaegerPage(); err != nil {
			return err
		}
	}
	rendered, err := manifest.Jaeger(options)
	if err != nil {
		return err
	}
	if err := p.KeepJaegerConfig(); err != nil {
		return err
	}
	if err := p.install(ctx, rendered, report); err != nil {
		return err
	}
	return p.await(ctx, component.Named(component.Jaeger))
}

func (p *Pods) startOperator(ctx context.Context, report provider.Report) error {
	client, err := p.OperatorClient(ctx)
	if err != nil {
		return err
	}
	image, replicas := p.Images(component.Operator)[0], p.Replicas()
	rendered, err := manifest.Operator(manifest.OperatorOptions{
		Manifests: p.Manifests, Image: p.reference(image), Version: tagOf(image), Env: p.OperatorEnvironment(),
		Telemetry: p.Telemetry, Replicas: replicas, Client: client,
	})
	if err != nil {
		return err
	}
	if err := p.install(ctx, rendered, report); err != nil {
		return err
	}
	target, err := p.Target()
	if err != nil {
		return err
	}
	if err := workload.FreeLeases(ctx, target, p.Manifests.Deployment); err != nil {
		return err
	}
	p.Record.OperatorImage, p.Record.OperatorEnv, p.Record.OperatorReplicas = image.Name(), p.OperatorEnv, replicas
	return p.Save()
}

func tagOf(i artifact.Image) string {
	return i.Name()[strings.LastIndexByte(i.Name(), ':')+1:]
}

func (p *Pods) install(ctx context.Context, rendered *manifest.Component, report provider.Report) error {
	target, err := p.Target()
	if err != nil {
		return err
	}
	report("installing %s", rendered.Version)
	if err := rendered.Install(ctx, target, report); err != nil {
		return err
	}
	report("%s", rendered.Version)
	return nil
}
