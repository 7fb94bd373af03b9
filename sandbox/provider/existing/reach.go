package existing

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// jaegerService is the sandbox's Jaeger, as Pods reach it.
const jaegerService = "jaeger.jaeger.svc"

func (c *Cluster) telemetry() (project.Telemetry, error) {
	if c.wanted.JaegerEndpoint != "" {
		return session.TelemetryAt(c.wanted.JaegerEndpoint)
	}
	return project.Telemetry{Host: jaegerService}, nil
}

// Reach forwards the ports of the sandbox's Jaeger to this machine.
func (c *Cluster) Reach(ctx context.Context) error {
	if c.wanted.JaegerEndpoint != "" {
		if c.wanted.JaegerQuery == "" {
			return provider.ErrNoQuery
		}
		return nil
	}
	c.forwardMu.Lock()
	defer c.forwardMu.Unlock()
	if c.forward != nil {
		return nil
	}
	config, err := c.RESTConfig()
	if err != nil {
		return err
	}
	var inPod []int
	for _, p := range component.AllPorts() {
		inPod = append(inPod, p.Number)
	}
	forward, err := NewForward(ctx, config, c.jaegerPod, inPod...)
	if err != nil {
		return fmt.Errorf("reaching Jaeger: %w", err)
	}
	c.forward, c.ports = forward, component.Ports{}
	for _, p := range component.AllPorts() {
		c.ports[p.Name] = forward.Local(p.Number)
	}
	return nil
}

// Close implements [provider.Access].
func (c *Cluster) Close() {
	c.forwardMu.Lock()
	defer c.forwardMu.Unlock()
	c.forward.Close()
	c.forward, c.ports = nil, nil
}

// Addresses are empty before Reach and after Close, except the query URL of a Jaeger of the user.
func (c *Cluster) Addresses() provider.Addresses {
	if c.wanted.JaegerQuery != "" {
		return provider.Addresses{component.UI: c.wanted.JaegerQuery}
	}
	c.forwardMu.Lock()
	defer c.forwardMu.Unlock()
	return provider.AddressesOf(c.ports)
}

// jaegerPod returns the youngest Pod of Jaeger that is ready.
func (c *Cluster) jaegerPod(ctx context.Context) (types.NamespacedName, error) {
	target, err := c.session.Target()
	if err != nil {
		return types.NamespacedName{}, err
	}
	pods, err := workload.Pods(ctx, target, component.Jaeger)
	if err != nil {
		return types.NamespacedName{}, err
	}
	for i := len(pods) - 1; i >= 0; i-- {
		if workload.PodReady(&pods[i]) {
			return types.NamespacedName{Namespace: pods[i].Namespace, Name: pods[i].Name}, nil
		}
	}
	return types.NamespacedName{}, fmt.Errorf("%w: no Pod of Jaeger's is ready", tracetree.ErrUnreachable)
}
