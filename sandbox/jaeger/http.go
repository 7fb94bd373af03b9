package jaeger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jaegertracing/jaeger-idl/model/v1"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// httpTransport is api_v3 over HTTP.
type httpTransport struct {
	settings settings
	client   *http.Client
}

func (t *httpTransport) close() error {
	t.client.CloseIdleConnections()
	return nil
}

func (t *httpTransport) trace(ctx context.Context, id model.TraceID) (ptrace.Traces, error) {
	return t.traces(ctx, parameters("raw_traces", "true"), "traces", digits(id))
}

func (t *httpTransport) search(ctx context.Context, q tracetree.Query, depth int) (ptrace.Traces, error) {
	pairs := []string{
		"query.service_name", q.Service,
		"query.start_time_min", q.From.UTC().Format(time.RFC3339Nano),
		"query.start_time_max", q.To.UTC().Format(time.RFC3339Nano),
		"query.search_depth", strconv.Itoa(depth),
		"query.raw_traces", "true",
	}
	if q.Operation != "" {
		pairs = append(pairs, "query.operation_name", q.Operation)
	}
	if q.MinDuration > 0 {
		pairs = append(pairs, "query.duration_min", q.MinDuration.String())
	}
	if q.MaxDuration > 0 {
		pairs = append(pairs, "query.duration_max", q.MaxDuration.String())
	}
	if len(q.Tags) > 0 {
		tags, err := json.Marshal(q.Tags)
		if err != nil {
			return ptrace.Traces{}, err
		}
		pairs = append(pairs, "query.attributes", string(tags))
	}
	values := parameters(pairs...)
	values.Set("query.num_traces", strconv.Itoa(depth)) // The name up to v2.13.
	return t.traces(ctx, values, "traces")
}

// parameters returns parameters, each with both of its names. Old versions of Jaeger accept only
// snake_case, and new versions also accept camelCase.
func parameters(pairs ...string) url.Values {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		words := strings.Split(pairs[i], "_")
		for i, word := range words[1:] {
			words[i+1] = strings.ToUpper(word[:1]) + word[1:]
		}
		values.Set(pairs[i], pairs[i+1])
		values.Set(strings.Join(words, ""), pairs[i+1])
	}
	return values
}

func (t *httpTransport) services(ctx context.Context) ([]string, error) {
	var answer struct {
		Services []string `json:"services"`
	}
	return answer.Services, t.object(ctx, &answer, nil, "services")
}

func (t *httpTransport) operations(ctx context.Context, service string) ([]Operation, error) {
	var answer struct {
		Operations []Operation `json:"operations"`
	}
	return answer.Operations, t.object(ctx, &answer, parameters("service", service), "operations")
}

// object reads a response that is one JSON object.
func (t *httpTransport) object(ctx context.Context, into any, p url.Values, path ...string) error {
	body, err := t.get(ctx, p, path...)
	if err != nil {
		return err
	}
	return malformed(body, json.Unmarshal(body, into))
}

// envelope wraps spans in a response, which contains one or more envelopes.
type envelope struct {
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

func (t *httpTransport) traces(ctx context.Context, p url.Values, path ...string) (ptrace.Traces, error) {
	body, err := t.get(ctx, p, path...)
	if err != nil {
		return ptrace.Traces{}, err
	}
	all := ptrace.NewTraces()
	decoder := json.NewDecoder(bytes.NewReader(body))
	for documents := 0; ; documents++ {
		var answer envelope
		err := decoder.Decode(&answer)
		switch {
		case errors.Is(err, io.EOF) && documents > 0:
			return all, nil
		case errors.Is(err, io.EOF):
			return all, malformed(body, io.ErrUnexpectedEOF)
		case err != nil:
			return all, malformed(body, err)
		case answer.Error != nil:
			// Jaeger had already sent the status when it failed.
			return all, &Error{Kind: tracetree.ErrTruncated, Err: fmt.Errorf("the response stopped: %s", answer.Error.Message)}
		case len(answer.Result) == 0:
			return all, malformed(body, errors.New("the response has neither a result nor an error"))
		}
		traces, err := new(ptrace.JSONUnmarshaler).UnmarshalTraces(answer.Result)
		if err != nil {
			return all, malformed(body, fmt.Errorf("decoding OTLP JSON: %w", err))
		}
		traces.ResourceSpans().MoveAndAppendTo(all.ResourceSpans())
	}
}

// get sends a request and returns the body of the response.
func (t *httpTransport) get(ctx context.Context, p url.Values, path ...string) ([]byte, error) {
	target := t.settings.base.JoinPath(append([]string{"api", "v3"}, path...)...)
	target.RawQuery = p.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	_, body, err := t.settings.do(t.client, request, remedyHTTP)
	return body, err
}

// readBody returns the complete body or an error.
func readBody(from io.Reader, limit int) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(from, int64(limit)+1))
	switch {
	case len(body) > limit:
		return nil, &Error{Kind: tracetree.ErrTruncated, Err: tooLarge(limit), Remedy: remedySize}
	case err != nil && len(body) == 0:
		return nil, &Error{Kind: tracetree.ErrUnreachable, Err: fmt.Errorf("the response ended after its header: %w", err)}
	case err != nil:
		return nil, &Error{Kind: tracetree.ErrTruncated, Err: fmt.Errorf("the response ended after %d bytes: %w", len(body), err)}
	}
	return body, nil
}

// refused returns the error of a response with another status than 200.
func refused(response *http.Response, body []byte, remedy string) error {
	var answer envelope
	fromJaeger := json.Unmarshal(body, &answer) == nil && answer.Error != nil
	failure := &Error{Err: fmt.Errorf("the server returned %s: %s", response.Status, excerpt(body))}
	if fromJaeger {
		failure.Err = fmt.Errorf("the server returned %s: %s", response.Status, answer.Error.Message)
	}
	switch code := response.StatusCode; {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		failure.Kind, failure.Remedy = tracetree.ErrUnauthorized, remedyUnauthorized
	case code == http.StatusNotFound && fromJaeger:
		failure.Kind, failure.Remedy = tracetree.ErrNotFound, remedyNotFound
	case code == http.StatusBadRequest && strings.Contains(string(body), "HTTP request to an HTTPS server"):
		failure.Kind, failure.Remedy = tracetree.ErrUnreachable, remedyWantsTLS
	case code >= 300 && code < 400:
		failure.Kind, failure.Remedy = tracetree.ErrUnreachable, remedy
		failure.Err = fmt.Errorf("the server returned %s to %s, a login page or another address of Jaeger", response.Status, response.Header.Get("Location"))
	case code == http.StatusBadGateway, code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout,
		code == http.StatusNotFound, code == http.StatusMethodNotAllowed:
		failure.Kind, failure.Remedy = tracetree.ErrUnreachable, remedy
	case searchDepthRefused(string(body)):
		failure.Remedy = remedyDepth
	}
	return failure
}

// malformed returns the error of a response with status 200 that cannot be decoded.
func malformed(body []byte, err error) error {
	var known *Error
	syntax := (*json.SyntaxError)(nil)
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case !strings.HasPrefix(strings.TrimSpace(string(body[:min(len(body), 64)])), "{") && len(body) > 0:
		return &Error{Kind: tracetree.ErrUnreachable, Err: fmt.Errorf("not a response of Jaeger's query API: %s", excerpt(body)), Remedy: remedyHTTP}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &syntax) && strings.HasPrefix(syntax.Error(), "unexpected end"):
		return &Error{Kind: tracetree.ErrTruncated, Err: fmt.Errorf("incomplete JSON in the response, after %d bytes", len(body))}
	}
	return &Error{Err: fmt.Errorf("decoding the response: %w", err)}
}

// excerpt returns the start of a text in one line.
func excerpt(text []byte) string {
	const enough = 100
	line := strings.Join(strings.Fields(strings.ToValidUTF8(string(text[:min(len(text), 4*enough)]), "?")), " ")
	if runes := []rune(line); len(runes) > enough {
		return strconv.Quote(string(runes[:enough])) + "..."
	}
	return strconv.Quote(line)
}
