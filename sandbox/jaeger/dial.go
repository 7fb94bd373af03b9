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
	// DefaultTimeout bounds every call, beside its context.
	DefaultTimeout = 10 * time.Second
	// DefaultMaxSize is the size of an answer in bytes that a client takes. gRPC's
	// own default, 4 MiB for each message, is too little for large attributes.
	DefaultMaxSize = 256 << 20
)

// Option changes how [Dial] and [DialOTLP] connect.
type Option func(*settings)

type settings struct {
	timeout time.Duration
	tls     *tls.Config
	headers [][2]string
	maxSize int
}

// WithTimeout bounds each call, beside its context; 0 or less is [DefaultTimeout].
func WithTimeout(timeout time.Duration) Option {
	return func(s *settings) { s.timeout = timeout }
}

// WithTLS sets how a server's certificate is checked, and the client's own. A
// host:port then means TLS, too. Nil, the default, means the system's
// authorities where the address asks for TLS. The configuration is copied.
func WithTLS(config *tls.Config) Option {
	return func(s *settings) { s.tls = config.Clone() }
}

// WithBearerToken sends a token with every call, as the header Authorization.
// Without TLS it crosses the network in the clear.
func WithBearerToken(token string) Option { return WithHeader("Authorization", "Bearer "+token) }

// WithHeader sends a header with every call, over gRPC as metadata: x-tenant for
// Jaeger with several tenants, or what a proxy asks for. It may be given several
// times.
func WithHeader(name, value string) Option {
	return func(s *settings) { s.headers = append(s.headers, [2]string{name, value}) }
}

// WithMaxSize sets how many bytes one answer may have; more is [ErrTruncated].
// 0 or less is [DefaultMaxSize].
func WithMaxSize(bytes int) Option {
	return func(s *settings) { s.maxSize = bytes }
}

// address is where a server is, and how it is spoken to.
type address struct {
	// given is the address as the caller wrote it, for messages.
	given string
	// base is the URL before the API's paths over HTTP; nil means gRPC to target.
	base   *url.URL
	target string
	secure bool
}

// parseAddress reads host:port, which means gRPC, or a URL with one of the
// schemes grpc, grpcs, http and https.
func parseAddress(given string, withTLS bool) (address, error) {
	a := address{given: given, target: given, secure: withTLS}
	if scheme, rest, isURL := strings.Cut(given, "://"); isURL {
		switch scheme {
		case "http", "https":
			base, err := url.Parse(given)
			if err != nil {
				return a, fmt.Errorf("it is no URL: %w", err)
			}
			if base.Host == "" || base.RawQuery != "" || base.Fragment != "" || base.User != nil {
				return a, errors.New("use http://host:port, with a base path where Jaeger has one")
			}
			if scheme == "http" && withTLS {
				return a, errors.New("TLS is configured, but the address begins with http: use https")
			}
			a.base, a.secure = base, scheme == "https"
			return a, nil
		case "grpc":
			if withTLS {
				return a, errors.New("TLS is configured, but the address begins with grpc: use grpcs")
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

// connection makes a gRPC connection, which connects at its first call.
func (s settings) connection(a address, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	if a.secure {
		transport = credentials.NewTLS(s.tlsConfig())
	}
	// gRPC's own pauses between attempts grow to two minutes.
	retry := backoff.DefaultConfig
	retry.BaseDelay, retry.MaxDelay = 100*time.Millisecond, time.Second
	return grpc.NewClient(a.target, append(options,
		grpc.WithTransportCredentials(transport),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: retry, MinConnectTimeout: time.Second}),
	)...)
}

// metadata is the headers as gRPC's context functions take them.
func (s settings) metadata() []string {
	var pairs []string
	for _, h := range s.headers {
		pairs = append(pairs, strings.ToLower(h[0]), h[1])
	}
	return pairs
}

// httpClient makes a client that follows no redirect: credentials would go to
// wherever a server says.
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
