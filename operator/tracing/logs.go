package tracing

import (
	"context"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel/trace"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// Logger returns the logger of ctx, or controller-runtime's default logger, with trace_id and
// span_id of the span in ctx on each line. Logging never starts a span. Before a reconcile's span
// has started, a line has the trace_id of the stored context if that context will be the parent,
// and otherwise no id. Use Logger in code that starts its own spans: the context of a wrapped
// reconciler or defaulter already contains such a logger. It is safe for concurrent use.
func Logger(ctx context.Context) logr.Logger {
	return withIDs(log.FromContext(ctx), idsOf(ctx))
}

// idsOf returns a function that returns the ids of the span of ctx, evaluated for each line.
func idsOf(ctx context.Context) func() []any {
	span := trace.SpanFromContext(ctx)
	lazy, ok := span.(*lazySpan)
	if !ok {
		return func() []any { return spanIDs(span.SpanContext()) }
	}
	s := sessionFrom(ctx)
	return func() []any {
		if span := lazy.started(); span != nil {
			return spanIDs(span.SpanContext())
		}
		if s != nil {
			return s.expectedIDs()
		}
		return nil
	}
}

func spanIDs(sc trace.SpanContext) []any {
	if !sc.IsValid() {
		return nil
	}
	return []any{"trace_id", sc.TraceID().String(), "span_id", sc.SpanID().String()}
}

// withLogger decorates the logger of ctx.
func withLogger(ctx context.Context) context.Context {
	return log.IntoContext(ctx, Logger(ctx))
}

func withIDs(l logr.Logger, ids func() []any) logr.Logger {
	sink := l.GetSink()
	switch s := sink.(type) {
	case nil:
		return l
	case *idSink:
		return l.WithSink(&idSink{LogSink: s.LogSink, ids: ids})
	case logr.CallDepthLogSink:
		sink = s.WithCallDepth(1) // idSink is one more frame between the caller and the sink
	}
	return l.WithSink(&idSink{LogSink: sink, ids: ids})
}

// idSink adds ids to each line.
type idSink struct {
	logr.LogSink
	ids func() []any
}

var (
	_ logr.LogSink          = (*idSink)(nil)
	_ logr.CallDepthLogSink = (*idSink)(nil)
)

// Init does nothing: the sink below is initialised already.
func (s *idSink) Init(logr.RuntimeInfo) {}

// Info implements logr.LogSink.
func (s *idSink) Info(level int, msg string, kv ...any) {
	s.LogSink.Info(level, msg, s.add(kv)...)
}

// Error implements logr.LogSink.
func (s *idSink) Error(err error, msg string, kv ...any) {
	s.LogSink.Error(err, msg, s.add(kv)...)
}

func (s *idSink) add(kv []any) []any {
	return append(kv[:len(kv):len(kv)], s.ids()...)
}

// WithValues implements logr.LogSink.
func (s *idSink) WithValues(kv ...any) logr.LogSink {
	return &idSink{LogSink: s.LogSink.WithValues(kv...), ids: s.ids}
}

// WithName implements logr.LogSink.
func (s *idSink) WithName(name string) logr.LogSink {
	return &idSink{LogSink: s.LogSink.WithName(name), ids: s.ids}
}

// WithCallDepth implements logr.CallDepthLogSink.
func (s *idSink) WithCallDepth(depth int) logr.LogSink {
	if inner, ok := s.LogSink.(logr.CallDepthLogSink); ok {
		return &idSink{LogSink: inner.WithCallDepth(depth), ids: s.ids}
	}
	return s
}
