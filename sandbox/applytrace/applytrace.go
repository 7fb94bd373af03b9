// Package applytrace traces the objects that the sandbox applies. A [Tracer] puts a W3C trace context
// onto each object that it changes, and has a span "apply KIND" for it. So the trace of the change
// starts with the user's command: operators with package operator/tracing, and observers, continue
// the context.
//
// An object that the apply does not change keeps its context: the API server is asked by a dry run.
package applytrace

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/trace"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/selftrace"
)

// Send applies an object, and stores the API server's answer in it.
type Send func(context.Context, *unstructured.Unstructured, ...client.ApplyOption) error

// Tracer traces applies. Create it with [New]. It is safe for concurrent use.
type Tracer struct {
	// Manager is the field manager of the applies.
	Manager string
	// Unchanged is an annotation with a hash of the applied object. If the live object has another
	// value, the apply changes it, and needs no dry run. Empty: there is none.
	Unchanged string
	// HeaderOnly is true if the API server continues the context of the requests: the objects get
	// no annotation.
	HeaderOnly bool
	// Refused is called for an object that the API server accepted only without a context. nil
	// ignores it.
	Refused func(obj *unstructured.Unstructured, err error)

	mu    sync.Mutex
	spans ptrace.SpanSlice
	all   ptrace.Traces
	// created has the contexts on objects, and written the contexts of the writes.
	created map[trace.SpanID]bool
	written map[version]trace.SpanContext
}

type version struct {
	uid      types.UID
	revision string
}

// New returns a Tracer for a field manager.
func New(manager string) *Tracer {
	t := &Tracer{Manager: manager, all: ptrace.NewTraces(), created: map[trace.SpanID]bool{}, written: map[version]trace.SpanContext{}}
	resource := t.all.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", selftrace.Service)
	scope := resource.ScopeSpans().AppendEmpty()
	scope.Scope().SetName(selftrace.Scope)
	t.spans = scope.Spans()
	return t
}

// Apply applies an object by send. live is the object before, or nil if there is none. The context of
// send has the context of the span. If the API server refuses an object with a context, for example
// because of a policy for annotations, Apply sends it without. If obj has a context of its own, Apply
// leaves it as it is, and records no span.
//
// It returns the error of send. A failed request has a span only with HeaderOnly.
func (t *Tracer) Apply(ctx context.Context, live, obj *unstructured.Unstructured, send Send) error {
	if t.HeaderOnly {
		return t.sendTraced(ctx, nil, obj, newContext(), time.Now(), send)
	}
	if obj.GetAnnotations()[traceparent] != "" {
		return send(ctx, obj)
	}
	kept := obj.DeepCopy()
	annotate(kept, contextOwnedBy(t.Manager, live))
	if live != nil && !t.differs(live, obj) {
		tried := kept.DeepCopy()
		if err := send(ctx, tried, client.DryRunAll); err != nil || Same(live, tried) {
			return send(ctx, kept) // Some webhooks allow no dry runs; the object then keeps its context.
		}
	}
	own, start := newContext(), time.Now()
	traced := obj.DeepCopy()
	annotate(traced, annotations(own, live, start))
	t.mu.Lock()
	t.created[own.SpanID()] = true // Before the request: a watch can be faster than its answer.
	t.mu.Unlock()
	err := t.sendTraced(ctx, live, traced, own, start, send)
	if !refused(err) {
		return err
	}
	if plain := send(ctx, kept); plain != nil {
		return plain
	}
	if t.Refused != nil {
		t.Refused(obj, err)
	}
	return nil
}

// differs reports whether the hashes in the annotations show that the object changes.
func (t *Tracer) differs(live, obj *unstructured.Unstructured) bool {
	return t.Unchanged != "" && live.GetAnnotations()[t.Unchanged] != obj.GetAnnotations()[t.Unchanged]
}

func (t *Tracer) sendTraced(ctx context.Context, live, obj *unstructured.Unstructured, own trace.SpanContext, start time.Time, send Send) error {
	err := send(trace.ContextWithSpanContext(ctx, own), obj)
	if err == nil && live != nil && live.GetResourceVersion() == obj.GetResourceVersion() {
		return nil // The API server ignored the change.
	}
	if err == nil || t.HeaderOnly {
		t.record(own, obj, start, err)
	}
	return err
}

// record adds the span of an apply. It has the attributes of writes in package operator/tracing,
// so that readers join the trace of a webhook that did not continue the context.
func (t *Tracer) record(own trace.SpanContext, obj *unstructured.Unstructured, start time.Time, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	span := t.spans.AppendEmpty()
	span.SetTraceID(pcommon.TraceID(own.TraceID()))
	span.SetSpanID(pcommon.SpanID(own.SpanID()))
	span.SetName("apply " + obj.GetKind())
	span.SetKind(ptrace.SpanKindClient)
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	attributes := span.Attributes()
	for key, value := range map[string]string{
		"k8s.namespace.name": obj.GetNamespace(), "operator.object.kind": obj.GetKind(), "operator.object.name": obj.GetName(),
		"operator.object.uid": string(obj.GetUID()), "operator.object.group": obj.GroupVersionKind().Group,
		"operator.write.resource_version": obj.GetResourceVersion(),
	} {
		if value != "" {
			attributes.PutStr(key, value)
		}
	}
	if err != nil {
		span.Status().SetCode(ptrace.StatusCodeError)
		span.Status().SetMessage(err.Error())
		return
	}
	t.written[version{obj.GetUID(), obj.GetResourceVersion()}] = own
	generation := obj.GetGeneration()
	if generation == 0 || t.HeaderOnly {
		return // The API server's spans join the traces.
	}
	attributes.PutInt("operator.object.generation", generation)
	continuation, parseErr := trace.TraceIDFromHex(tracetree.Continuation(string(obj.GetUID()), generation))
	if parseErr == nil {
		link := span.Links().AppendEmpty()
		link.SetTraceID(pcommon.TraceID(continuation))
		link.SetSpanID(pcommon.SpanID(own.SpanID())) // OTLP requires one; readers ignore it.
	}
}

// SpanOf returns the context of the span of a write, by the context on the object or, if a webhook
// replaced that, by its resourceVersion. It is invalid for other writes.
func (t *Tracer) SpanOf(uid types.UID, revision uint64, onObject trace.SpanContext) trace.SpanContext {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.created[onObject.SpanID()] {
		return onObject
	}
	return t.written[version{uid, strconv.FormatUint(revision, 10)}]
}

// Traces returns the recorded spans.
func (t *Tracer) Traces() ptrace.Traces {
	t.mu.Lock()
	defer t.mu.Unlock()
	copied := ptrace.NewTraces()
	t.all.CopyTo(copied)
	return copied
}

// Send sends the recorded spans to an OTLP receiver; see [jaeger.DialOTLP]. It does nothing if there
// are none.
func (t *Tracer) Send(ctx context.Context, endpoint string) error {
	traces := tracetree.FromOTLP(t.Traces())
	if len(traces) == 0 {
		return nil
	}
	sender, err := jaeger.DialOTLP(endpoint)
	if err != nil {
		return fmt.Errorf("sending the spans of applied objects: %w", err)
	}
	defer sender.Close()
	for _, trace := range traces {
		if err := sender.Send(ctx, trace); err != nil {
			return fmt.Errorf("sending the spans of applied objects: %w", err)
		}
	}
	return nil
}

func newContext() trace.SpanContext {
	config := trace.SpanContextConfig{TraceFlags: trace.FlagsSampled}
	_, _ = rand.Read(config.TraceID[:]) // It never fails.
	_, _ = rand.Read(config.SpanID[:])
	return trace.NewSpanContext(config)
}

// annotations returns the annotations of package operator/tracing for the context of a span, which
// started at that time, because no span of the change starts earlier.
func annotations(own trace.SpanContext, live *unstructured.Unstructured, start time.Time) map[string]string {
	generation := int64(0)
	values := map[string]string{traceparent: "00-" + own.TraceID().String() + "-" + own.SpanID().String() + "-01"}
	if live != nil {
		generation = live.GetGeneration()
		if live.GetAnnotations()[tracestate] != "" {
			values[tracestate] = "" // It is of another context.
		}
	}
	values[origin] = strings.Join([]string{own.SpanID().String(), strconv.FormatInt(generation, 10), strconv.FormatInt(start.UnixNano(), 10)}, "-")
	return values
}

// refused reports whether the API server, a webhook or a policy rejected an object.
func refused(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.ReasonForError(err) == "NotAcceptable"
}
