package image

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"golang.org/x/net/http/httpproxy"
)

// RegistryHosts are those that images are pulled from, sorted: host names, some with ports. With a mirror it is the mirror alone.
func RegistryHosts(mirror Mirror) ([]string, error) {
	var hosts []string
	for _, reference := range References() {
		parsed, err := name.ParseReference(reference)
		if err != nil {
			return nil, fmt.Errorf("reading the image name %q: %w", reference, err)
		}
		registry := mirror.repository(parsed.Context()).Registry
		host := registry.RegistryStr()
		if registry.Scheme() == "http" {
			host = "http://" + host
		}
		hosts = append(hosts, host)
	}
	slices.Sort(hosts)
	return slices.Compact(hosts), nil
}

// Ping asks a host whether it is a registry, as every client does first: GET /v2/, without credentials. A nil client is
// Go's default one, which goes by the environment's proxies. A host without a certificate begins with http://. The error says in
// a few words what answered instead, or that nobody did.
func Ping(ctx context.Context, client *http.Client, host string) error {
	if client == nil {
		client = http.DefaultClient
	}
	address := host
	if !strings.Contains(host, "://") {
		address = "https://" + host
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/v2/", http.NoBody)
	if err != nil {
		return fmt.Errorf("asking %s: %w", host, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return plainly(err)
	}
	defer func() { _ = response.Body.Close() }() // It was only read.
	_, _ = io.CopyN(io.Discard, response.Body, 4<<10)
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	switch {
	case response.Header.Get("Docker-Distribution-Api-Version") != "" && response.StatusCode != http.StatusTooManyRequests,
		response.StatusCode == http.StatusUnauthorized && response.Header.Get("Www-Authenticate") != "":
		return nil
	case kind == "text/html":
		return &webPageError{status: response.Status}
	case response.StatusCode == http.StatusOK:
		return nil
	}
	return fmt.Errorf("it answers %s", response.Status)
}

// plainly takes the method and address off an HTTP client's error, and puts words for the end of time, and for what a proxy did.
func plainly(err error) error {
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return errors.New("no answer in time")
	}
	var request *url.Error
	if !errors.As(err, &request) {
		return err
	}
	proxy := proxyFor(request.URL)
	if proxy == "" {
		return request.Err
	}
	var noTLS tls.RecordHeaderError
	if errors.As(err, &noTLS) || errors.Is(err, http.ErrSchemeMismatch) || errors.Is(err, io.EOF) {
		// It was asked for a tunnel, said yes, and sent its page through it.
		return fmt.Errorf("the proxy %s sends something of its own, a web page most likely, in the registry's place: %w", proxy, request.Err)
	}
	return fmt.Errorf("the proxy %s was asked for the way there: %w", proxy, request.Err)
}

// proxyFor is the host and port of the proxy that the environment names for an address, or "".
func proxyFor(address string) string {
	target, err := url.Parse(address)
	if err != nil {
		return ""
	}
	proxy, err := httpproxy.FromEnvironment().ProxyFunc()(target)
	if err != nil || proxy == nil {
		return ""
	}
	return proxy.Host
}
