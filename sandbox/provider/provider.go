// Package provider defines what a kind of cluster provides to the sandbox. The packages below it
// implement [Cluster]: kind, embedded and existing.
package provider

import (
	"context"
	"io"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/export"
	"github.com/operator-tracing/sandbox/sandbox/reset"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Report receives short progress messages of a step.
type Report = session.Report

// Provider runs the components of a sandbox on one kind of cluster. All methods except Logs and
// Status change something. Repeating one that succeeded is cheap and changes nothing. The plan
// calls Fetch, Deliver and Start for several components at the same time, and in that order for
// each of them.
type Provider interface {
	// Prepare is the first step of a plan. It selects ports and the origin of images.
	Prepare(ctx context.Context, report Report) error
	// Fetch gets the images or programs of a component: it pulls, builds or unpacks them.
	Fetch(ctx context.Context, c component.Component, report Report) error
	// Deliver transfers a component to the cluster, so that Start does not have to wait for it.
	Deliver(ctx context.Context, c component.Component, report Report) error
	// Start starts a component and waits until it is ready.
	Start(ctx context.Context, c component.Component, report Report) error
	// Status completes s. Unreachable parts are described in s. An error means that the provider
	// itself could not be examined.
	Status(ctx context.Context, s *Status) error
	// Logs copies a log of [LogNames] to out. The error wraps fs.ErrNotExist or workload.ErrNoLog if
	// there is none.
	Logs(ctx context.Context, out io.Writer, name string, o LogOptions) error
	// Down removes from the cluster, and with it, everything that the sandbox created. It returns
	// nil if there is nothing.
	Down(ctx context.Context, report Report) error
}

// Access is the way from this machine to the cluster.
type Access interface {
	// RESTConfig returns the configuration of a client with the sandbox's rights.
	RESTConfig() (*rest.Config, error)
	// Alive returns an error if the API server does not answer, or is not the sandbox's.
	Alive(ctx context.Context) error
	// Reach makes the ports of components reachable until Close. The error is ErrNoQuery if Jaeger
	// is the user's and its query URL is unknown.
	Reach(ctx context.Context) error
	// Addresses returns the ports that are reachable now.
	Addresses() Addresses
	// Close ends what Reach started. It can be called several times.
	Close()
}

// Local implements the part of [Access] for clusters whose ports are always on this machine.
type Local struct{ Record *state.Record }

// Addresses implements [Access].
func (l Local) Addresses() Addresses { return AddressesOf(l.Record.Ports) }

// Reach does nothing.
func (Local) Reach(context.Context) error { return nil }

// Close does nothing.
func (Local) Close() {}

// Cluster is one sandbox on a provider.
type Cluster interface {
	Provider
	Access
}

// Gated is implemented by a provider that starts the control plane in stages. Components are
// delivered and started while Start of the control plane still runs.
type Gated interface {
	// AwaitNode waits until components can be delivered.
	AwaitNode(ctx context.Context, report Report) error
	// AwaitAPIServer waits until components can be started.
	AwaitAPIServer(ctx context.Context, report Report) error
}

// Consenting is implemented by a provider that changes a cluster of the user.
type Consenting interface {
	// Changes lists what up will change for the first time, one line each.
	Changes() []string
	// Where names the cluster.
	Where() string
	// Losses lists objects of others that Down would delete, because the sandbox defined their kinds.
	Losses(ctx context.Context) ([]string, error)
	// Scope returns the part of the cluster that belongs to the sandbox.
	Scope(ctx context.Context) (Scope, error)
}

// Stopper is implemented by a provider whose components are processes.
type Stopper interface {
	// Stop ends a process until the next up.
	Stop(ctx context.Context, name string) error
}

// Resetter is implemented by a provider that can return to the state after up; see package reset.
type Resetter interface {
	// KeepResetPoint keeps the objects that Reset does not delete, when the operator is ready.
	KeepResetPoint(ctx context.Context) error
	// Added names the objects that Reset deletes, without the sample.
	Added(ctx context.Context) ([]string, error)
	// Reset deletes the objects that the sandbox did not install, and the sample.
	Reset(ctx context.Context, report Report) (reset.Outcome, error)
}

// Describer is implemented by a provider that knows more about its node than Kubernetes.
type Describer interface {
	Descriptions() []export.Part
}

// Scope is a part of a cluster. The zero value is the whole cluster.
type Scope struct {
	// Namespaces are the namespaces with the sandbox's objects.
	Namespaces []string
	// Has reports whether an object belongs to the sandbox; nil means that all do.
	Has func(*unstructured.Unstructured) bool
}

// HasEvent reports whether an event is about an object in the scope.
func (s Scope) HasEvent(e corev1.Event) bool {
	if s.Has == nil {
		return true
	}
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(e.InvolvedObject.APIVersion)
	object.SetKind(e.InvolvedObject.Kind)
	object.SetNamespace(e.InvolvedObject.Namespace)
	return s.Has(object)
}
