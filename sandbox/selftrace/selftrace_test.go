package selftrace_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/operator-tracing/sandbox/sandbox/selftrace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// step is a step with its start and end in seconds.
type step struct {
	name       string
	start, end int
	needs      []string
}

func record(ctx context.Context, steps ...step) {
	start := time.Unix(1_800_000_000, 0)
	at := func(seconds int) trace.SpanEventOption {
		return trace.WithTimestamp(start.Add(time.Duration(seconds) * time.Second))
	}
	for _, s := range steps {
		_, span := selftrace.Tracer(ctx).Start(ctx, s.name, at(s.start), trace.WithAttributes(selftrace.NeedsKey.StringSlice(s.needs)))
		span.End(at(s.end))
	}
}

func TestCriticalPath(t *testing.T) {
	for name, test := range map[string]struct {
		steps []step
		want  []selftrace.Stretch
	}{
		"nothing": {},
		"the longer of two needed steps": {
			steps: []step{
				{"cluster", 0, 10, nil},
				{"Jaeger", 10, 15, []string{"cluster"}},
				{"cert-manager", 10, 18, []string{"cluster"}},
				{"unrelated", 1, 17, nil},
				{"operator", 18, 21, []string{"Jaeger", "cert-manager"}},
			},
			want: []selftrace.Stretch{{"cluster", 10 * time.Second}, {"cert-manager", 8 * time.Second}, {"operator", 3 * time.Second}},
		},
		"sequential plans": {
			steps: []step{{"choice", 0, 2, nil}, {"images", 2, 3, nil}, {"cluster", 3, 9, []string{"images"}}},
			want:  []selftrace.Stretch{{"choice", 2 * time.Second}, {"images", time.Second}, {"cluster", 6 * time.Second}},
		},
		"steps with equal names in two plans": {
			steps: []step{{"images", 0, 1, nil}, {"cluster", 1, 2, []string{"images"}}, {"images", 2, 5, nil}, {"cluster", 5, 6, []string{"images"}}},
			want: []selftrace.Stretch{
				{"images", time.Second}, {"cluster", time.Second}, {"images", 3 * time.Second}, {"cluster", time.Second},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := selftrace.NewRecorder()
			ctx, root := r.Start(t.Context(), "up")
			record(ctx, test.steps...)
			root.End()
			if diff := cmp.Diff(test.want, r.CriticalPath()); diff != "" {
				t.Errorf("CriticalPath (-want +got):\n%s", diff)
			}
		})
	}
}

// CriticalPath terminates for steps without a duration, each of which ends when the others start.
func TestCriticalPathOfStepsWithoutDuration(t *testing.T) {
	r := selftrace.NewRecorder()
	ctx, _ := r.Start(t.Context(), "up")
	record(ctx, step{"a", 0, 0, nil}, step{"b", 0, 0, nil}, step{"c", 0, 0, nil})
	if got := r.CriticalPath(); len(got) != 3 {
		t.Errorf("CriticalPath = %v, want each step once", got)
	}
}

// Without a span in the context, Tracer records nothing.
func TestWithoutARecorder(t *testing.T) {
	_, span := selftrace.Tracer(t.Context()).Start(t.Context(), "step")
	if span.IsRecording() {
		t.Error("IsRecording = true without a Recorder, want false")
	}
}

// Start ignores a span in the context.
func TestStartStartsANewTrace(t *testing.T) {
	r := selftrace.NewRecorder()
	ctx, outer := r.Start(t.Context(), "outer")
	_, inner := r.Start(ctx, "inner")
	if outer.SpanContext().TraceID() == inner.SpanContext().TraceID() {
		t.Error("the second command has the trace id of the first")
	}
}

// The OTEL_* variables are for the programs of the user.
func TestEnvironmentIsIgnored(t *testing.T) {
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	t.Setenv("OTEL_SERVICE_NAME", "other")
	r := selftrace.NewRecorder()
	_, span := r.Start(t.Context(), "up")
	if !span.SpanContext().IsSampled() {
		t.Error("OTEL_TRACES_SAMPLER disabled the Recorder")
	}
}

// receiver is an OTLP receiver that uses real gRPC.
type receiver struct {
	ptraceotlp.UnimplementedGRPCServer
	got     chan ptrace.Traces
	headers chan []string
}

func (r *receiver) Export(ctx context.Context, request ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	r.headers <- metadata.ValueFromIncomingContext(ctx, "authorization")
	r.got <- request.Traces()
	return ptraceotlp.NewExportResponse(), nil
}

func TestSend(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=secret")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	to := &receiver{got: make(chan ptrace.Traces, 1), headers: make(chan []string, 1)}
	ptraceotlp.RegisterGRPCServer(server, to)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	defer serving.Wait()
	defer server.Stop()

	r := selftrace.NewRecorder()
	ctx, root := r.Start(t.Context(), "sandbox up")
	record(ctx, step{"cluster", 0, 10, nil}, step{"Jaeger", 10, 15, []string{"cluster"}})
	root.End()
	if err := r.Send(ctx, listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	traces := <-to.got
	service, _ := traces.ResourceSpans().At(0).Resource().Attributes().Get("service.name")
	if service.Str() != selftrace.Service {
		t.Errorf("service = %q, want %q", service.Str(), selftrace.Service)
	}
	var names []string
	spans := traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	for i := range spans.Len() {
		names = append(names, spans.At(i).Name())
		if id := root.SpanContext().TraceID(); [16]byte(spans.At(i).TraceID()) != id {
			t.Errorf("span %s has another trace id than the root", spans.At(i).Name())
		}
	}
	if diff := cmp.Diff([]string{"cluster", "Jaeger", "sandbox up"}, names); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	if headers := <-to.headers; len(headers) > 0 {
		t.Errorf("headers from the environment = %q, want none", headers)
	}
}

func TestSendToAClosedPort(t *testing.T) {
	r := selftrace.NewRecorder()
	if err := r.Send(t.Context(), "127.0.0.1:1"); err != nil {
		t.Errorf("Send without spans = %v, want nil", err)
	}
	_, span := r.Start(t.Context(), "sandbox up")
	span.End()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := r.Send(ctx, "127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "own trace to 127.0.0.1:1") {
		t.Errorf("Send = %v, want an error with the endpoint", err)
	}
}
