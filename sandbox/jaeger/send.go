package jaeger

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// maxRequest is the size of a request to which spans are joined. Receivers take
// 4 MiB over gRPC by default.
const maxRequest = 2 << 20

// Sender sends traces by OTLP: to Jaeger, to a collector, or to anything else
// that takes it. It may be used by several goroutines at a time.
type Sender struct {
	endpoint string
	settings settings
	// Either is nil.
	conn   *grpc.ClientConn
	client *http.Client
	target *url.URL
}

// DialOTLP makes a sender to an address of the forms that [Dial] takes: host:port
// means OTLP over gRPC (usually 4317), http://host:port OTLP over HTTP (4318),
// below /v1/traces unless the path ends so. It doesn't connect yet. The caller
// closes the sender.
func DialOTLP(endpoint string, options ...Option) (*Sender, error) {
	s := newSettings(options)
	a, err := parseAddress(endpoint, s.tls != nil)
	if err != nil {
		return nil, fmt.Errorf("making a sender of OTLP to %q: %w", endpoint, err)
	}
	sender := &Sender{endpoint: endpoint, settings: s}
	if a.base == nil {
		if sender.conn, err = s.connection(a); err != nil {
			return nil, fmt.Errorf("making a sender of OTLP to %q: %w", endpoint, err)
		}
		return sender, nil
	}
	sender.client, sender.target = s.httpClient(), a.base
	if !strings.HasSuffix(strings.TrimSuffix(a.base.Path, "/"), "/v1/traces") {
		sender.target = a.base.JoinPath("v1", "traces")
	}
	return sender, nil
}

// Close ends the connections.
func (s *Sender) Close() error {
	if s.conn != nil {
		return s.conn.Close()
	}
	s.client.CloseIdleConnections()
	return nil
}

// Send sends a trace, in several requests where it is large, and returns when the
// receiver has taken all its spans. The receiver may store them a moment later.
// After an error some may have been taken: it says how many. Each request has the
// timeout of the sender.
func (s *Sender) Send(ctx context.Context, trace Trace) error {
	if trace.Len() == 0 {
		return fmt.Errorf("sending trace %s to %s: %w", trace.ID, s.endpoint, ErrNoTraces)
	}
	taken := 0
	for _, part := range trace.parts(maxRequest) {
		doing := fmt.Sprintf("sending trace %s (%d of %d spans taken)", trace.ID, taken, trace.Len())
		if err := s.export(ctx, doing, part); err != nil {
			return err
		}
		taken += len(part)
	}
	return nil
}

// parts takes the spans apart into pieces of a size at most, one span at least.
func (t Trace) parts(limit int) [][]element {
	var parts [][]element
	size := limit + 1
	for _, e := range t.elements {
		own := len(e.encoded())
		if size += own; size > limit {
			parts, size = append(parts, nil), own
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], e)
	}
	return parts
}

func (s *Sender) export(ctx context.Context, doing string, part []element) error {
	within, cancel := context.WithTimeout(ctx, s.settings.timeout)
	defer cancel()
	request := ptraceotlp.NewExportRequestFromTraces(join(part))
	var response ptraceotlp.ExportResponse
	var err error
	if s.conn != nil {
		response, err = s.overGRPC(within, request)
	} else {
		response, err = s.overHTTP(within, request)
	}
	if err == nil {
		err = rejection(response, len(part))
	}
	if err != nil {
		return finish(ctx, within, doing, s.endpoint, s.settings.timeout, err)
	}
	return nil
}

// rejection is the error of a receiver that took a part of a request.
func rejection(response ptraceotlp.ExportResponse, spans int) error {
	partial := response.PartialSuccess()
	if partial.RejectedSpans() == 0 {
		return nil
	}
	return fmt.Errorf("it rejects %d of %d spans: %s", partial.RejectedSpans(), spans, partial.ErrorMessage())
}

func (s *Sender) overGRPC(ctx context.Context, request ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	ctx = metadata.AppendToOutgoingContext(ctx, s.settings.metadata()...)
	response, err := ptraceotlp.NewGRPCClient(s.conn).Export(ctx, request)
	if err != nil {
		return response, classify(err, false, remedyOTLP)
	}
	return response, nil
}

func (s *Sender) overHTTP(ctx context.Context, request ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	response := ptraceotlp.NewExportResponse()
	data, err := request.MarshalProto()
	if err != nil {
		return response, err
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, s.target.String(), bytes.NewReader(data))
	if err != nil {
		return response, err
	}
	post.Header.Set("Content-Type", "application/x-protobuf")
	s.settings.setHeaders(post.Header)
	answer, err := s.client.Do(post)
	if err != nil {
		return response, unanswered(err, remedyOTLP)
	}
	defer answer.Body.Close()
	body, err := readBody(answer.Body, s.settings.maxSize)
	if err != nil {
		return response, err
	}
	if answer.StatusCode != http.StatusOK {
		return response, refused(answer, body, remedyOTLP)
	}
	// A server that takes any request, a web page's, answers 200 too.
	if kind := answer.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/x-protobuf") {
		return response, &Error{Kind: ErrUnreachable, Remedy: remedyOTLP,
			Err: fmt.Errorf("what answers is no receiver of OTLP: its answer is of type %q", kind)}
	}
	if err := response.UnmarshalProto(body); err != nil {
		return response, &Error{Err: fmt.Errorf("decoding the answer: %w", err)}
	}
	return response, nil
}

// WaitStored waits until a client reads a trace that has all spans of the given
// one, which a [Sender] sent: by their ids. If the given one has continuations, they
// are read too, see [ReadTree]. The error names how many are missing,
// or why the trace can't be read. Poll is the time between two looks; 0 is
// DefaultPoll. The context bounds the wait.
func WaitStored(ctx context.Context, from Reader, sent Trace, poll time.Duration) error {
	if poll <= 0 {
		poll = DefaultPoll
	}
	read := from.GetTrace
	if len(sent.writers) > 0 {
		read = func(ctx context.Context, id string) (Trace, error) { return ReadTree(ctx, from, id) }
	}
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	var last error
	for {
		stored, err := read(ctx, sent.ID)
		missing := missingSpans(sent, stored)
		switch {
		case err == nil && missing == 0:
			return nil
		case err == nil:
			last = fmt.Errorf("%d of %d spans are missing", missing, sent.Len())
		case interrupted(ctx, err) && last != nil: // What such a call says is of no use.
		case !interrupted(ctx, err) && !passing(err):
			return err
		default:
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for trace %s to be stored: %w: %w", sent.ID, ctx.Err(), last)
		case <-ticker.C:
		}
	}
}

func missingSpans(sent, stored Trace) int {
	there := map[string]bool{}
	for _, id := range spanIDs(stored) {
		there[id] = true
	}
	missing := 0
	for _, id := range spanIDs(sent) {
		if !there[id] {
			missing++
		}
	}
	return missing
}
