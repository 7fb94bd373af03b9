package jaeger

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// Defaults of clients and senders.
const (
	// DefaultTimeout is the timeout of every call, in addition to its context.
	DefaultTimeout = 10 * time.Second
	// DefaultMaxSize is the maximum size of a response in bytes. gRPC's default of 4 MiB for each
	// message is too small for large attributes.
	DefaultMaxSize = 256 << 20
)

// Option configures [Dial] and [DialOTLP].
type Option func(*settings)

// settings are the options and the parsed address of a client or a sender.
type settings struct {
	timeout time.Duration
	tls     *tls.Config // Nil for the defaults.
	headers []string    // Alternating lower-case names and values.
	maxSize int
	without []string // Names of instrumentation scopes.
	// endpoint is the address as passed by the caller, for messages.
	endpoint string
	// base is the base URL of the API over HTTP; nil means gRPC to target.
	base   *url.URL
	target string
	secure bool
}

// WithTimeout sets the timeout of each call, in addition to its context (default [DefaultTimeout]).
func WithTimeout(timeout time.Duration) Option {
	return func(s *settings) { s.timeout = timeout }
}

// WithTLS sets the TLS configuration, which is copied. It also enables TLS for addresses of the
// form host:port. By default, TLS is used only if the address specifies it, with the certificate
// authorities of the system.
func WithTLS(config *tls.Config) Option {
	return func(s *settings) { s.tls = config.Clone() }
}

// WithBearerToken sends a token with every call in the header Authorization. Without TLS, the token
// is not encrypted.
func WithBearerToken(token string) Option { return WithHeader("Authorization", "Bearer "+token) }

// WithHeader sends a header with every call (metadata in gRPC), for example x-tenant for a Jaeger
// with several tenants. Repeated options accumulate.
func WithHeader(name, value string) Option {
	return func(s *settings) { s.headers = append(s.headers, strings.ToLower(name), value) }
}

// WithMaxSize sets the maximum size of a response in bytes (default [DefaultMaxSize]). A larger
// response returns [tracetree.ErrTruncated].
func WithMaxSize(bytes int) Option {
	return func(s *settings) { s.maxSize = bytes }
}

// WithoutScopes omits the spans of instrumentation scopes, see [tracetree.Trace.Without]. A trace
// without other spans counts as not found. Repeated options accumulate. For example, a test that
// compares only the spans of an operator omits the spans of the sandbox's observer. Their scope is
// "github.com/operator-tracing/sandbox/sandbox/observe".
func WithoutScopes(names ...string) Option {
	return func(s *settings) { s.without = append(s.without, names...) }
}

// newSettings applies the options and parses the address: host:port, which means gRPC, or a URL
// with the scheme grpc, grpcs, http or https.
func newSettings(endpoint string, options []Option) (settings, error) {
	s := settings{endpoint: endpoint, target: endpoint}
	for _, option := range options {
		option(&s)
	}
	if s.timeout <= 0 {
		s.timeout = DefaultTimeout
	}
	if s.maxSize <= 0 {
		s.maxSize = DefaultMaxSize
	}
	s.secure = s.tls != nil
	scheme, rest, isURL := strings.Cut(endpoint, "://")
	switch {
	case !isURL:
	case scheme == "http", scheme == "https", scheme == "grpc", scheme == "grpcs":
		if s.secure && !strings.HasSuffix(scheme, "s") {
			return s, fmt.Errorf("TLS is configured, but the address starts with %s: use %[1]ss", scheme)
		}
		s.secure, s.target = strings.HasSuffix(scheme, "s"), rest
	default:
		return s, fmt.Errorf("unknown scheme %q: use host:port or grpcs://host:port for gRPC, http://host:port or https://host:port for HTTP", scheme)
	}
	if isURL && strings.HasPrefix(scheme, "http") {
		base, err := url.Parse(endpoint)
		if err != nil {
			return s, fmt.Errorf("parsing the URL: %w", err)
		}
		if base.Host == "" || base.RawQuery != "" || base.Fragment != "" || base.User != nil {
			return s, errors.New("use http://host:port, with the base path of Jaeger if it has one")
		}
		s.base = base
	} else if _, port, err := net.SplitHostPort(s.target); err != nil || port == "" {
		return s, errors.New("use host:port for gRPC, http://host:port for HTTP")
	}
	return s, nil
}

// connection creates a gRPC client connection, which connects at the first call.
func (s settings) connection(options ...grpc.DialOption) (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	if s.secure {
		transport = credentials.NewTLS(s.tls)
	}
	// gRPC's default backoff grows to two minutes.
	retry := backoff.DefaultConfig
	retry.BaseDelay, retry.MaxDelay = 100*time.Millisecond, time.Second
	return grpc.NewClient(s.target, append(options,
		grpc.WithTransportCredentials(transport),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: retry, MinConnectTimeout: time.Second}),
	)...)
}

// withHeaders returns a context for calls over gRPC with the headers.
func (s settings) withHeaders(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, s.headers...)
}

// httpClient returns a client that does not follow redirects, which could send credentials to
// another server.
func (s settings) httpClient() *http.Client {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: s.tls, ForceAttemptHTTP2: true}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// do sends a request and returns the type and the body of a response with status 200. The error has
// the kind of another status. unreachable is the remedy if the server is not reachable.
func (s settings) do(client *http.Client, request *http.Request, unreachable string) (contentType string, body []byte, err error) {
	for i := 0; i < len(s.headers); i += 2 {
		request.Header.Add(s.headers[i], s.headers[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		// The message of a url.Error contains the address with all parameters.
		if outer := (*url.Error)(nil); errors.As(err, &outer) {
			err = outer.Err
		}
		return "", nil, &Error{Kind: tracetree.ErrUnreachable, Err: err, Remedy: tlsRemedy(err, unreachable)}
	}
	defer response.Body.Close()
	if body, err = readBody(response.Body, s.maxSize); err != nil {
		return "", nil, err
	}
	if response.StatusCode != http.StatusOK {
		return "", nil, refused(response, body, unreachable)
	}
	return response.Header.Get("Content-Type"), body, nil
}
