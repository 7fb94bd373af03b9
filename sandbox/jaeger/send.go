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

// maxRequest is the maximum size of a request with several spans. Receivers accept 4 MiB over gRPC
// by default.
const maxRequest = 2 << 20

// Sender sends traces by OTLP to Jaeger, a collector or another receiver. It is safe for concurrent
// use.
type Sender struct {
	endpoint string
	settings settings
	// Exactly one of conn and client is nil.
	conn   *grpc.ClientConn
	client *http.Client
	target *url.URL
}

// DialOTLP returns a sender to an address in a form that [Dial] accepts: host:port means OTLP over
// gRPC (usually port 4317), and http://host:port means OTLP over HTTP (usually port 4318). DialOTLP
// appends /v1/traces to a URL that does not end with it. It does not connect. The caller must close
// the sender.
func DialOTLP(endpoint string, options ...Option) (*Sender, error) {
	s := newSettings(options)
	a, err := parseAddress(endpoint, s.tls != nil)
	if err != nil {
		return nil, fmt.Errorf("creating an OTLP sender to %q: %w", endpoint, err)
	}
	sender := &Sender{endpoint: endpoint, settings: s}
	if a.base == nil {
		if sender.conn, err = s.connection(a); err != nil {
			return nil, fmt.Errorf("creating an OTLP sender to %q: %w", endpoint, err)
		}
		return sender, nil
	}
	sender.client, sender.target = s.httpClient(), a.base
	if !strings.HasSuffix(strings.TrimSuffix(a.base.Path, "/"), "/v1/traces") {
		sender.target = a.base.JoinPath("v1", "traces")
	}
	return sender, nil
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
func (s *Sender) Send(ctx context.Context, trace Trace) error {
	if trace.Len() == 0 {
		return fmt.Errorf("sending trace %s to %s: %w", trace.ID, s.endpoint, ErrNoTraces)
	}
	taken := 0
	for _, part := range trace.parts(maxRequest) {
		doing := fmt.Sprintf("sending trace %s (%d of %d spans accepted)", trace.ID, taken, trace.Len())
		if err := s.export(ctx, doing, part); err != nil {
			return err
		}
		taken += len(part)
	}
	return nil
}

// parts splits the spans into parts of at most limit bytes, but at least one span.
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

// rejection returns an error if the receiver rejected some spans of a request.
func rejection(response ptraceotlp.ExportResponse, spans int) error {
	partial := response.PartialSuccess()
	if partial.RejectedSpans() == 0 {
		return nil
	}
	return fmt.Errorf("the receiver rejected %d of %d spans: %s", partial.RejectedSpans(), spans, partial.ErrorMessage())
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
	// Web servers can also answer any request with status 200.
	if kind := answer.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/x-protobuf") {
		return response, &Error{Kind: ErrUnreachable, Remedy: remedyOTLP,
			Err: fmt.Errorf("not an OTLP receiver: the response has type %q", kind)}
	}
	if err := response.UnmarshalProto(body); err != nil {
		return response, &Error{Err: fmt.Errorf("decoding the response: %w", err)}
	}
	return response, nil
}

// WaitStored waits until from returns all spans of a sent trace, compared by id, or ctx is done. If
// the trace has continuations, WaitStored reads them too, see [ReadTree]. The error contains the
// number of missing spans or the error of reading the trace. Poll is the interval between reads
// (default DefaultPoll).
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
		case interrupted(ctx, err) && last != nil: // Keep the error of the previous read.
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
