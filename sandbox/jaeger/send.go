package jaeger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// maxRequest is the maximum size of a request with several spans. Receivers accept 4 MiB over gRPC
// by default.
const maxRequest = 2 << 20

// Sender sends traces by OTLP to Jaeger, a collector or another receiver. It is safe for concurrent
// use.
type Sender struct {
	settings settings
	// Exactly one of conn and client is nil.
	conn   *grpc.ClientConn
	client *http.Client
}

// DialOTLP returns a sender to an address in a form that [Dial] accepts: host:port means OTLP over
// gRPC (usually port 4317), and http://host:port means OTLP over HTTP (usually port 4318). DialOTLP
// appends /v1/traces to a URL that does not end with it. It does not connect. The caller must close
// the sender.
func DialOTLP(endpoint string, options ...Option) (*Sender, error) {
	s, err := newSettings(endpoint, options)
	if err != nil {
		return nil, fmt.Errorf("creating an OTLP sender to %q: %w", endpoint, err)
	}
	if s.base != nil {
		if !strings.HasSuffix(strings.TrimSuffix(s.base.Path, "/"), "/v1/traces") {
			s.base = s.base.JoinPath("v1", "traces")
		}
		return &Sender{settings: s, client: s.httpClient()}, nil
	}
	conn, err := s.connection()
	if err != nil {
		return nil, fmt.Errorf("creating an OTLP sender to %q: %w", endpoint, err)
	}
	return &Sender{settings: s, conn: conn}, nil
}

// Close closes the connections.
func (s *Sender) Close() error {
	if s.conn != nil {
		return s.conn.Close()
	}
	s.client.CloseIdleConnections()
	return nil
}

// Send sends a trace, in several requests if it is large, and returns when the receiver has
// accepted all spans. The receiver may store them slightly later. If Send fails, the receiver may
// have accepted some spans; the error contains their number. Each request has the timeout of the
// sender.
func (s *Sender) Send(ctx context.Context, trace tracetree.Trace) error {
	if trace.Len() == 0 {
		return fmt.Errorf("sending trace %s to %s: %w", trace.ID, s.settings.endpoint, tracetree.ErrNoTraces)
	}
	taken := 0
	for _, part := range trace.Split(maxRequest) {
		doing := fmt.Sprintf("sending trace %s (%d of %d spans accepted)", trace.ID, taken, trace.Len())
		spans := part.SpanCount()
		_, err := bounded(ctx, s.settings, doing, func(ctx context.Context) (ptraceotlp.ExportResponse, error) {
			return s.export(ctx, part)
		})
		if err != nil {
			return err
		}
		taken += spans
	}
	return nil
}

// SendSpans sends spans of any traces in one request. If the receiver rejects it, SendSpans sends each
// trace on its own, so that a trace that the receiver never accepts does not keep the others back. rejected
// is the error of such traces: to send them again would not help. If the receiver cannot be reached, or
// ctx is done, err is not nil, and the caller can send all spans again.
func (s *Sender) SendSpans(ctx context.Context, all ptrace.Traces) (rejected, err error) {
	_, err = bounded(ctx, s.settings, fmt.Sprintf("sending %d spans", all.SpanCount()), func(ctx context.Context) (ptraceotlp.ExportResponse, error) {
		return s.export(ctx, all)
	})
	if err == nil || isTemporary(ctx, err) {
		return nil, err
	}
	for _, trace := range tracetree.FromOTLP(all) {
		if err := s.Send(ctx, trace); isTemporary(ctx, err) {
			return nil, err
		} else if err != nil {
			rejected = errors.Join(rejected, err)
		}
	}
	return rejected, nil
}

func isTemporary(ctx context.Context, err error) bool {
	return err != nil && (ctx.Err() != nil || errors.Is(err, tracetree.ErrUnreachable))
}

// Ping sends a request without spans, and returns an error unless the receiver accepts it. It stores
// nothing.
func (s *Sender) Ping(ctx context.Context) error {
	_, err := bounded(ctx, s.settings, "sending no spans", func(ctx context.Context) (ptraceotlp.ExportResponse, error) {
		return s.export(ctx, ptrace.NewTraces())
	})
	return err
}

// export sends one request. It returns an error if the receiver rejected some spans.
func (s *Sender) export(ctx context.Context, part ptrace.Traces) (response ptraceotlp.ExportResponse, err error) {
	request := ptraceotlp.NewExportRequestFromTraces(part)
	if s.conn == nil {
		response, err = s.overHTTP(ctx, request)
	} else if response, err = ptraceotlp.NewGRPCClient(s.conn).Export(s.settings.withHeaders(ctx), request); err != nil {
		err = classify(err, false, remedyOTLP)
	}
	if err != nil {
		return response, err
	}
	if partial := response.PartialSuccess(); partial.RejectedSpans() > 0 {
		err = fmt.Errorf("the receiver rejected %d of %d spans: %s", partial.RejectedSpans(), part.SpanCount(), partial.ErrorMessage())
	}
	return response, err
}

func (s *Sender) overHTTP(ctx context.Context, request ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	response := ptraceotlp.NewExportResponse()
	data, err := request.MarshalProto()
	if err != nil {
		return response, err
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, s.settings.base.String(), bytes.NewReader(data))
	if err != nil {
		return response, err
	}
	post.Header.Set("Content-Type", "application/x-protobuf")
	contentType, body, err := s.settings.do(s.client, post, remedyOTLP)
	switch {
	case err != nil:
		return response, err
	case !strings.HasPrefix(contentType, "application/x-protobuf"): // Web servers can also answer any request with status 200.
		return response, &Error{Kind: tracetree.ErrUnreachable, Remedy: remedyOTLP,
			Err: fmt.Errorf("not an OTLP receiver: the response has type %q", contentType)}
	}
	if err := response.UnmarshalProto(body); err != nil {
		return response, &Error{Err: fmt.Errorf("decoding the response: %w", err)}
	}
	return response, nil
}

// WaitStored waits until from returns all spans of a sent trace, compared by id, or ctx is done. If
// the trace has continuations, WaitStored reads them too, see [tracetree.ReadTree]. The error
// contains the number of missing spans or the error of reading the trace. Poll is the interval
// between reads (default [tracetree.DefaultPoll]).
func WaitStored(ctx context.Context, from tracetree.Reader, sent tracetree.Trace, poll time.Duration) error {
	if poll <= 0 {
		poll = tracetree.DefaultPoll
	}
	read := from.GetTrace
	if len(sent.TraceIDs()) > 1 {
		read = func(ctx context.Context, id string) (tracetree.Trace, error) {
			return tracetree.ReadTree(ctx, from, id)
		}
	}
	var last, refused error
	err := wait.PollUntilContextCancel(ctx, poll, true, func(ctx context.Context) (bool, error) {
		stored, err := read(ctx, sent.ID)
		switch {
		case err == nil:
			missing := missingSpans(sent, stored)
			last = fmt.Errorf("%d of %d spans are missing", missing, sent.Len())
			return missing == 0, nil
		case last != nil && (ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded)): // Keep the previous error.
		case tracetree.Retryable(ctx, err):
			last = err
		default:
			refused = err
		}
		return false, refused
	})
	if err == nil || refused != nil {
		return err
	}
	return fmt.Errorf("waiting for trace %s to be stored: %w: %w", sent.ID, err, last)
}

func missingSpans(sent, stored tracetree.Trace) (missing int) {
	there := map[string]bool{}
	for _, span := range stored.Spans() {
		there[span.SpanID] = true
	}
	for _, span := range sent.Spans() {
		if !there[span.SpanID] {
			missing++
		}
	}
	return missing
}
