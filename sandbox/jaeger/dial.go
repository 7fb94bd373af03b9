package jaeger

import (
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

type settings struct {
	timeout time.Duration
	tls     *tls.Config
	headers [][2]string
	maxSize int
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
	return func(s *settings) { s.headers = append(s.headers, [2]string{name, value}) }
}

// WithMaxSize sets the maximum size of a response in bytes (default [DefaultMaxSize]). A larger
// response returns [ErrTruncated].
func WithMaxSize(bytes int) Option {
	return func(s *settings) { s.maxSize = bytes }
}

// address is the address and the protocol of a server.
type address struct {
	// given is the address as passed by the caller, for messages.
	given string
	// base is the base URL of the API over HTTP; nil means gRPC to target.
	base   *url.URL
	target string
	secure bool
}

// parseAddress parses host:port, which means gRPC, or a URL with the scheme grpc, grpcs, http or
// https.
func parseAddress(given string, withTLS bool) (address, error) {
	a := address{given: given, target: given, secure: withTLS}
	if scheme, rest, isURL := strings.Cut(given, "://"); isURL {
		switch scheme {
		case "http", "https":
			base, err := url.Parse(given)
			if err != nil {
				return a, fmt.Errorf("parsing the URL: %w", err)
			}
			if base.Host == "" || base.RawQuery != "" || base.Fragment != "" || base.User != nil {
				return a, errors.New("use http://host:port, with the base path of Jaeger if it has one")
			}
			if scheme == "http" && withTLS {
				return a, errors.New("TLS is configured, but the address starts with http: use https")
			}
			a.base, a.secure = base, scheme == "https"
			return a, nil
		case "grpc":
			if withTLS {
				return a, errors.New("TLS is configured, but the address starts with grpc: use grpcs")
			}
			a.target = rest
		case "grpcs":
			a.target, a.secure = rest, true
		default:
			return a, fmt.Errorf("unknown scheme %q: use host:port or grpcs://host:port for gRPC, http://host:port or https://host:port for HTTP", scheme)
		}
	}
	if _, port, err := net.SplitHostPort(a.target); err != nil || port == "" {
		return a, errors.New("use host:port for gRPC, http://host:port for HTTP")
	}
	return a, nil
}

func newSettings(options []Option) settings {
	s := settings{}
	for _, option := range options {
		option(&s)
	}
	if s.timeout <= 0 {
		s.timeout = DefaultTimeout
	}
	if s.maxSize <= 0 {
		s.maxSize = DefaultMaxSize
	}
	return s
}

// connection creates a gRPC client connection, which connects at the first call.
func (s settings) connection(a address, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	if a.secure {
		transport = credentials.NewTLS(s.tlsConfig())
	}
	// gRPC's default backoff grows to two minutes.
	retry := backoff.DefaultConfig
	retry.BaseDelay, retry.MaxDelay = 100*time.Millisecond, time.Second
	return grpc.NewClient(a.target, append(options,
		grpc.WithTransportCredentials(transport),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: retry, MinConnectTimeout: time.Second}),
	)...)
}

// metadata returns the headers as key-value pairs for gRPC.
func (s settings) metadata() []string {
	var pairs []string
	for _, h := range s.headers {
		pairs = append(pairs, strings.ToLower(h[0]), h[1])
	}
	return pairs
}

// httpClient returns a client that does not follow redirects, which could send credentials to
// another server.
func (s settings) httpClient() *http.Client {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: s.tlsConfig(), ForceAttemptHTTP2: true}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (s settings) tlsConfig() *tls.Config {
	if s.tls == nil {
		return &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return s.tls.Clone()
}

func (s settings) setHeaders(header http.Header) {
	for _, h := range s.headers {
		header.Add(h[0], h[1])
	}
}
