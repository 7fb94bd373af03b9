package up

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/install"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/selftrace"
)

// traceWait bounds the wait for a trace to be complete once its Head is Ready: the operator sends spans after 200 ms.
const traceWait = 30 * time.Second

// settledTrace is the age of its last span at which a trace needs no quiet second of watching: that second, the 200 ms after
// which the operator sends spans, and the 50 ms after which Jaeger shows them.
const settledTrace = 1500 * time.Millisecond

// ParseHead reads a Head's name from a command line: NAME, in the namespace default, or NAMESPACE/NAME.
func ParseHead(argument string) (types.NamespacedName, error) {
	namespace, name, qualified := strings.Cut(argument, "/")
	if !qualified {
		namespace, name = "default", argument
	}
	if namespace == "" || name == "" || strings.Contains(name, "/") {
		return types.NamespacedName{}, fmt.Errorf("reading the name of a Head %q: use NAME or NAMESPACE/NAME", argument)
	}
	return types.NamespacedName{Namespace: namespace, Name: name}, nil
}

// sampleTraceLost tells whether the sample Head exists but can't be shown as a trace: Jaeger, which keeps traces in memory,
// was started anew since, or the webhook was down when the Head was made.
func (r *Run) sampleTraceLost(ctx context.Context) (bool, error) {
	name, err := r.Sample()
	if err != nil {
		return false, err
	}
	head, err := r.head(ctx, name)
	if errors.Is(err, errNoHead) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	traceID, _, err := jaeger.TraceIDOf(head.GetAnnotations())
	if err != nil {
		return true, nil //nolint:nilerr // That it has no usable context is the answer.
	}
	_, err = r.read(ctx, traceID)
	if errors.Is(err, jaeger.ErrNotFound) {
		return true, nil
	}
	return false, err
}

// errNoHead says that there is no Head of that name.
var errNoHead = errors.New("there is none of that name")

// Sample is the name of the sample Head.
func (r *Run) Sample() (types.NamespacedName, error) {
	sample, err := install.Sample(install.SampleOptions{})
	if err != nil {
		return types.NamespacedName{}, err
	}
	head := sample.Objects[0]
	namespace := head.GetNamespace()
	if namespace == "" {
		namespace = "default"
	}
	return types.NamespacedName{Namespace: namespace, Name: head.GetName()}, nil
}

// WaitTrace waits until the current trace of a Head is complete and returns it. The error is a *jaeger.IncompleteError
// where the time was over first.
func (r *Run) WaitTrace(ctx context.Context, head types.NamespacedName) (jaeger.Trace, error) {
	ctx, span := selftrace.Tracer(ctx).Start(ctx, "trace", trace.WithAttributes(selftrace.NeedsKey.StringSlice(nil)))
	defer span.End()
	traceID, err := r.traceID(ctx, head)
	if err != nil {
		return jaeger.Trace{}, err
	}
	reader, err := jaeger.Dial(r.QueryAddress())
	if err != nil {
		return jaeger.Trace{}, err
	}
	defer reader.Close()
	return jaeger.WaitComplete(ctx, reader, traceID, jaeger.Conditions{
		Timeout: traceWait, Settled: settledTrace,
		Ready: func(ctx context.Context) (bool, string, error) {
			object, err := r.head(ctx, head)
			if err != nil {
				return false, "", err
			}
			if err := install.Ready(object); err != nil {
				return false, err.Error(), nil
			}
			return true, "", nil
		},
	})
}

// Trace returns the current trace of a Head as Jaeger has it now.
func (r *Run) Trace(ctx context.Context, name types.NamespacedName) (jaeger.Trace, error) {
	head, err := r.head(ctx, name)
	if err != nil {
		return jaeger.Trace{}, err
	}
	var trace jaeger.Trace
	if traceID, _, noContext := jaeger.TraceIDOf(head.GetAnnotations()); noContext == nil {
		trace, err = r.read(ctx, traceID)
	} else {
		trace, err = r.search(ctx, head)
	}
	switch {
	case errors.Is(err, jaeger.ErrNotFound):
		return trace, fmt.Errorf("%w; the sandbox's Jaeger keeps traces in memory: they are gone when it starts anew", err)
	case errors.Is(err, jaeger.ErrUnreachable):
		return trace, fmt.Errorf("%w; `make sandbox-up` repairs the sandbox", err)
	}
	return trace, err
}

// serviceName is what the operator calls itself in its spans.
const serviceName = "demo-services-for-tracing"

// search finds the latest trace with a span about an object that carries no context: it was made while the operator's
// webhook was down, and the first reconcile began its trace.
func (r *Run) search(ctx context.Context, object *unstructured.Unstructured) (jaeger.Trace, error) {
	reader, err := jaeger.Dial(r.QueryAddress())
	if err != nil {
		return jaeger.Trace{}, err
	}
	defer reader.Close()
	found, err := reader.FindTraces(ctx, jaeger.Query{
		Service: serviceName, Tags: map[string]string{"operator.object.uid": string(object.GetUID())},
		From: object.GetCreationTimestamp().Add(-time.Minute),
	})
	if err != nil {
		return jaeger.Trace{}, err
	}
	if len(found) == 0 {
		return jaeger.Trace{}, fmt.Errorf("finding a trace of %s %s/%s, which carries no context: %w",
			object.GetKind(), object.GetNamespace(), object.GetName(), jaeger.ErrNotFound)
	}
	return slices.MaxFunc(found, func(a, b jaeger.Trace) int { return begin(a).Compare(begin(b)) }), nil
}

// begin is when a trace's first span started.
func begin(trace jaeger.Trace) time.Time {
	var first time.Time
	for _, span := range trace.Spans() {
		if first.IsZero() || span.Start.Before(first) {
			first = span.Start
		}
	}
	return first
}

// read reads a trace once, over HTTP: what Jaeger gives there is whole, so that it can be loaded again.
func (r *Run) read(ctx context.Context, traceID string) (jaeger.Trace, error) {
	reader, err := jaeger.Dial(r.Addresses().UI)
	if err != nil {
		return jaeger.Trace{}, err
	}
	defer reader.Close()
	return reader.GetTrace(ctx, traceID)
}

func (r *Run) traceID(ctx context.Context, name types.NamespacedName) (string, error) {
	head, err := r.head(ctx, name)
	if err != nil {
		return "", err
	}
	traceID, _, err := jaeger.TraceIDOf(head.GetAnnotations())
	if err != nil {
		return "", fmt.Errorf("finding the trace of Head %s: %w", name, err)
	}
	return traceID, nil
}

func (r *Run) head(ctx context.Context, name types.NamespacedName) (*unstructured.Unstructured, error) {
	target, err := r.Target()
	if err != nil {
		return nil, err
	}
	head := &unstructured.Unstructured{}
	head.SetGroupVersionKind(install.HeadKind)
	err = target.Client().Get(ctx, name, head)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("finding Head %s: %w%s", name, errNoHead, r.others(ctx, target))
	}
	if err != nil {
		return nil, fmt.Errorf("finding Head %s: %w", name, err)
	}
	return head, nil
}

// others lists a few Heads that there are, for an error about one that there is not.
func (r *Run) others(ctx context.Context, target *install.Cluster) string {
	const most = 5
	heads := &unstructured.UnstructuredList{}
	heads.SetGroupVersionKind(install.HeadKind.GroupVersion().WithKind("HeadList"))
	if err := target.Client().List(ctx, heads, client.Limit(most)); err != nil || len(heads.Items) == 0 {
		return ""
	}
	var names []string
	for _, h := range heads.Items {
		names = append(names, h.GetNamespace()+"/"+h.GetName())
	}
	return "; there is " + strings.Join(names, ", ")
}

// QueryAddress is host and port of Jaeger's gRPC query API.
func (r *Run) QueryAddress() string { return loopback(r.Record.Ports.Query) }

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
