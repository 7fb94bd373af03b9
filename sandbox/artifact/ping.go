package artifact

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"golang.org/x/net/http/httpproxy"
)

// RegistryHosts returns the hosts that images are pulled from, sorted, some with ports. With a
// mirror it returns only the mirror.
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

// Ping checks whether a host is a registry: it sends GET /v2/ without credentials, as every client
// does first. A nil client means http.DefaultClient, which uses the proxies of the environment. The
// host has the prefix http:// if it has no certificate. The error is short and has no URL.
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
		return fmt.Errorf("requesting %s: %w", host, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return shorten(err)
	}
	defer discard(response)
	versioned := response.Header.Get("Docker-Distribution-Api-Version") != "" && response.StatusCode != http.StatusTooManyRequests
	challenge := response.StatusCode == http.StatusUnauthorized && response.Header.Get("Www-Authenticate") != ""
	switch {
	case versioned || challenge:
		return nil
	case strings.HasPrefix(response.Header.Get("Content-Type"), "text/html"):
		return &htmlError{response.Status}
	case response.StatusCode == http.StatusOK:
		return nil
	}
	return fmt.Errorf("unexpected status %s", response.Status)
}

// shorten removes the method and URL from an HTTP client's error, and explains timeouts and errors
// of a proxy.
func shorten(err error) error {
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return errors.New("no response in time")
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
		// It accepted the CONNECT request and then sent its page through the tunnel.
		return fmt.Errorf("the proxy %s sent its own content instead of the registry's, probably an HTML page: %w", proxy, request.Err)
	}
	return fmt.Errorf("connecting through the proxy %s: %w", proxy, request.Err)
}

// proxyFor returns the host and port of the environment's proxy for a URL, or "".
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
