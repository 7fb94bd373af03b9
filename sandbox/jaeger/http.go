package jaeger

import (
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

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// httpTransport is api_v3 over HTTP.
type httpTransport struct {
	base     *url.URL
	settings settings
	client   *http.Client
}

func newHTTPTransport(a address, s settings) *httpTransport {
	return &httpTransport{base: a.base, settings: s, client: s.httpClient()}
}

func (t *httpTransport) close() error {
	t.client.CloseIdleConnections()
	return nil
}

func (t *httpTransport) trace(ctx context.Context, id pcommon.TraceID) (ptrace.Traces, error) {
	return t.traces(ctx, parameters{}.add("raw_traces", "true"), "traces", id.String())
}

func (t *httpTransport) search(ctx context.Context, q Query, depth int) (ptrace.Traces, error) {
	p := parameters{}.add("query.service_name", q.Service).
		add("query.start_time_min", q.From.UTC().Format(time.RFC3339Nano)).
		add("query.start_time_max", q.To.UTC().Format(time.RFC3339Nano)).
		add("query.search_depth", strconv.Itoa(depth)).
		add("query.raw_traces", "true")
	p["query.num_traces"] = p["query.search_depth"] // The name up to v2.13.
	if q.Operation != "" {
		p.add("query.operation_name", q.Operation)
	}
	if q.MinDuration > 0 {
		p.add("query.duration_min", q.MinDuration.String())
	}
	if q.MaxDuration > 0 {
		p.add("query.duration_max", q.MaxDuration.String())
	}
	if len(q.Tags) > 0 {
		tags, err := json.Marshal(q.Tags)
		if err != nil {
			return ptrace.Traces{}, err
		}
		p.add("query.attributes", string(tags))
	}
	return t.traces(ctx, p, "traces")
}

// parameters are the parameters of a query string, with one value each.
type parameters map[string]string

// add sets a parameter with both of its names. Old versions of Jaeger accept only snake_case, and
// new versions also accept camelCase.
func (p parameters) add(name, value string) parameters {
	words := strings.Split(name, "_")
	for i, word := range words[1:] {
		words[i+1] = strings.ToUpper(word[:1]) + word[1:]
	}
	p[name], p[strings.Join(words, "")] = value, value
	return p
}

func (t *httpTransport) services(ctx context.Context) ([]string, error) {
	var answer struct {
		Services []string `json:"services"`
	}
	return answer.Services, t.object(ctx, &answer, nil, "services")
}

func (t *httpTransport) operations(ctx context.Context, service string) ([]Operation, error) {
	var answer struct {
		Operations []struct {
			Name     string `json:"name"`
			SpanKind string `json:"spanKind"`
		} `json:"operations"`
	}
	if err := t.object(ctx, &answer, parameters{}.add("service", service), "operations"); err != nil {
		return nil, err
	}
	operations := make([]Operation, 0, len(answer.Operations))
	for _, o := range answer.Operations {
		operations = append(operations, Operation{Name: o.Name, Kind: kindName(o.SpanKind)})
	}
	return operations, nil
}

// object reads a response that is one JSON object.
func (t *httpTransport) object(ctx context.Context, into any, p parameters, path ...string) error {
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
		HTTPCode int    `json:"httpCode"`
		Message  string `json:"message"`
	} `json:"error"`
}

func (t *httpTransport) traces(ctx context.Context, p parameters, path ...string) (ptrace.Traces, error) {
	body, err := t.get(ctx, p, path...)
	if err != nil {
		return ptrace.Traces{}, err
	}
	all := ptrace.NewTraces()
	documents, err := eachDocument(body, func(document []byte, _ int64) error {
		var answer envelope
		if err := json.Unmarshal(document, &answer); err != nil {
			return err
		}
		switch {
		case answer.Error != nil:
			// Jaeger had already sent the status when it failed.
			return &Error{Kind: ErrTruncated, Err: fmt.Errorf("the response stopped: %s", answer.Error.Message)}
		case len(answer.Result) == 0:
			return errors.New("the response has neither a result nor an error")
		}
		traces, err := unmarshalTraces(answer.Result)
		if err != nil {
			return err
		}
		traces.ResourceSpans().MoveAndAppendTo(all.ResourceSpans())
		return nil
	})
	if err == nil && documents == 0 {
		err = io.ErrUnexpectedEOF
	}
	return all, malformed(body, err)
}

// get sends a request and returns the complete body, or an error with the kind of the status.
func (t *httpTransport) get(ctx context.Context, p parameters, path ...string) ([]byte, error) {
	target := t.base.JoinPath(append([]string{"api", "v3"}, path...)...)
	target.RawQuery = p.encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	t.settings.setHeaders(request.Header)
	response, err := t.client.Do(request)
	if err != nil {
		return nil, unanswered(err, remedyHTTP)
	}
	defer response.Body.Close()
	body, err := readBody(response.Body, t.settings.maxSize)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, refused(response, body, remedyHTTP)
	}
	return body, nil
}

func (p parameters) encode() string {
	values := url.Values{}
	for name, value := range p {
		values.Set(name, value)
	}
	return values.Encode()
}

// unanswered returns the error of a request without a response.
func unanswered(err error, remedy string) error {
	// The message of a url.Error contains the address with all parameters.
	if outer := (*url.Error)(nil); errors.As(err, &outer) {
		err = outer.Err
	}
	return &Error{Kind: ErrUnreachable, Err: err, Remedy: tlsRemedy(err, remedy)}
}

// readBody returns the complete body or an error.
func readBody(from io.Reader, limit int) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(from, int64(limit)+1))
	switch {
	case len(body) > limit:
		return nil, &Error{Kind: ErrTruncated, Err: tooLarge(limit), Remedy: remedySize}
	case err != nil && len(body) == 0:
		return nil, &Error{Kind: ErrUnreachable, Err: fmt.Errorf("the response ended after its header: %w", err)}
	case err != nil:
		return nil, &Error{Kind: ErrTruncated, Err: fmt.Errorf("the response ended after %d bytes: %w", len(body), err)}
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
		failure.Kind, failure.Remedy = ErrUnauthorized, remedyUnauthorized
	case code == http.StatusNotFound && fromJaeger:
		failure.Kind, failure.Remedy = ErrNotFound, remedyNotFound
	case code == http.StatusBadRequest && strings.Contains(string(body), "HTTP request to an HTTPS server"):
		failure.Kind, failure.Remedy = ErrUnreachable, remedyWantsTLS
	case code >= 300 && code < 400:
		failure.Kind, failure.Remedy = ErrUnreachable, remedy
		failure.Err = fmt.Errorf("the server returned %s to %s, a login page or another address of Jaeger", response.Status, response.Header.Get("Location"))
	case code == http.StatusBadGateway, code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout,
		code == http.StatusNotFound, code == http.StatusMethodNotAllowed:
		failure.Kind, failure.Remedy = ErrUnreachable, remedy
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
		return &Error{Kind: ErrUnreachable, Err: fmt.Errorf("not a response of Jaeger's query API: %s", excerpt(body)), Remedy: remedyHTTP}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &syntax) && strings.HasPrefix(syntax.Error(), "unexpected end"):
		return &Error{Kind: ErrTruncated, Err: fmt.Errorf("incomplete JSON in the response, after %d bytes", len(body))}
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
