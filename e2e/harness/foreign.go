package harness

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// ForeignService is the service of spans from outside.
const ForeignService = "e2e-user"

// SendForeignSpan sends a root span of a new trace to Jaeger, as the program of a user does that
// creates objects in the trace. It returns the context of the span as a traceparent.
func (c *Cluster) SendForeignSpan(ctx context.Context, name string) (traceparent string, link spantree.Link, err error) {
	var traceID pcommon.TraceID
	var spanID pcommon.SpanID
	_, _ = rand.Read(traceID[:]) // It never fails.
	_, _ = rand.Read(spanID[:])
	traces := ptrace.NewTraces()
	resource := traces.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", ForeignService)
	span := resource.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetTraceID(traceID)
	span.SetSpanID(spanID)
	span.SetName(name)
	span.SetKind(ptrace.SpanKindClient)
	now := time.Now()
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(now))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(now.Add(time.Millisecond)))

	sender, err := jaeger.DialOTLP(c.Status.Jaeger.OTLPGRPC)
	if err != nil {
		return "", spantree.Link{}, err
	}
	defer func() { _ = sender.Close() }() // No export is pending.
	if err := sender.Send(ctx, tracetree.FromOTLP(traces)[0]); err != nil {
		return "", spantree.Link{}, fmt.Errorf("sending span %q: %w", name, err)
	}
	link = spantree.Link{TraceID: traceID.String(), SpanID: spanID.String()}
	return fmt.Sprintf("00-%s-%s-01", link.TraceID, link.SpanID), link, nil
}
