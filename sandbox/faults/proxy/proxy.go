// Package proxy serves an API server to one operator, so that a run of faults can refuse, delay and
// cut the operator's requests. Without a fault it passes requests and answers on unchanged, except that
// answers are not compressed.
//
// The operator keeps its own credentials. A token passes through in the header of each request. A
// client certificate cannot pass through, so the proxy verifies it and uses the same certificate
// upstream.
package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
)

// headerLimit is the time limit for the header of a request.
const headerLimit = 30 * time.Second

// Options configure a [Proxy].
type Options struct {
	// Upstream is the configuration of the operator's client: the API server, and the credentials.
	Upstream *rest.Config
	// Certificate and Key are files with the server's certificate.
	Certificate, Key string
	// ClientCA is a file with the authority of client certificates. It is required if Upstream has
	// a client certificate.
	ClientCA string
}

// Proxy is a running proxy. Its methods are safe for concurrent use.
type Proxy struct {
	server   *http.Server
	listener net.Listener
	upstream http.RoundTripper
	current  atomic.Pointer[http.RoundTripper]
}

// Start listens on a free port of 127.0.0.1 and serves until Close.
func Start(ctx context.Context, o Options) (*Proxy, error) {
	config, err := serverTLS(o)
	if err != nil {
		return nil, fmt.Errorf("preparing the fault proxy: %w", err)
	}
	p := &Proxy{}
	if p.upstream, err = newTransport(o.Upstream); err != nil {
		return nil, fmt.Errorf("preparing the fault proxy: %w", err)
	}
	handler, err := p.handler(o)
	if err != nil {
		return nil, fmt.Errorf("preparing the fault proxy: %w", err)
	}
	p.Use(nil)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the fault proxy: %w", err)
	}
	p.listener = listener
	p.server = &http.Server{
		Handler: handler, TLSConfig: config, ReadHeaderTimeout: headerLimit,
		ErrorLog: log.New(io.Discard, "", 0), // Killed operators and cut connections are normal here.
	}
	go func() { _ = p.server.ServeTLS(listener, "", "") }() // It ends with Close.
	return p, nil
}

// URL returns the address that replaces the API server's.
func (p *Proxy) URL() string { return "https://" + p.listener.Addr().String() }

// Use makes requests that start from now on pass through the round tripper that wrap returns for the
// API server; nil injects no faults. If the round tripper returns an error, the proxy cuts the
// connection instead of answering.
func (p *Proxy) Use(wrap func(http.RoundTripper) http.RoundTripper) {
	transport := p.upstream
	if wrap != nil {
		transport = wrap(transport)
	}
	p.current.Store(&transport)
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// Close cuts all connections and stops the proxy.
func (p *Proxy) Close() error {
	if err := p.server.Close(); err != nil {
		return fmt.Errorf("stopping the fault proxy: %w", err)
	}
	return nil
}

func serverTLS(o Options) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(o.Certificate, o.Key)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	if !hasCertificate(o.Upstream) {
		return config, nil
	}
	authority, err := os.ReadFile(o.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("reading the authority of clients: %w", err)
	}
	config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.VerifyClientCertIfGiven
	if !config.ClientCAs.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("reading the authority of clients: no certificate in %s", o.ClientCA)
	}
	return config, nil
}

func hasCertificate(c *rest.Config) bool { return c.CertFile != "" || len(c.CertData) > 0 }

// handler returns the proxy without its listener.
func (p *Proxy) handler(o Options) (http.Handler, error) {
	upstream, _, err := rest.DefaultServerUrlFor(o.Upstream)
	if err != nil {
		return nil, fmt.Errorf("parsing the address of the API server: %w", err)
	}
	var handler http.Handler = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(upstream)
			r.Out.URL.RawQuery = r.In.URL.RawQuery // Also if it cannot be parsed.
			r.Out.Header.Del("Accept-Encoding")    // Faults read objects and events.
		},
		Transport:     roundTripper(func(r *http.Request) (*http.Response, error) { return (*p.current.Load()).RoundTrip(r) }),
		FlushInterval: -1, // Each event of a watch counts.
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:      log.New(io.Discard, "", 0),
	}
	if hasCertificate(o.Upstream) {
		if handler, err = onlyHolder(o.Upstream, handler); err != nil {
			return nil, err
		}
	}
	return handler, nil
}

// newTransport returns the connection to the API server, with the operator's client certificate. It
// adds no token and no compression.
func newTransport(operator *rest.Config) (http.RoundTripper, error) {
	config := rest.AnonymousClientConfig(operator)
	config.CertFile, config.CertData = operator.CertFile, operator.CertData
	config.KeyFile, config.KeyData = operator.KeyFile, operator.KeyData
	config.DisableCompression = true
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the API server: %w", err)
	}
	return transport, nil
}

// onlyHolder refuses callers without the operator's certificate: the API server sees this
// certificate for every caller.
func onlyHolder(operator *rest.Config, next http.Handler) (http.Handler, error) {
	config, err := rest.TLSConfigFor(operator)
	if err != nil {
		return nil, fmt.Errorf("reading the operator's certificate: %w", err)
	}
	pair, err := config.GetClientCertificate(&tls.CertificateRequestInfo{})
	if err == nil && len(pair.Certificate) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the operator's certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("reading the operator's certificate: %w", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 || !r.TLS.PeerCertificates[0].Equal(leaf) {
			http.Error(w, "the fault proxy serves only the operator", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	}), nil
}
