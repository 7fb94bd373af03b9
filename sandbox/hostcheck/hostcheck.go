// Package hostcheck protects an HTTP server of this machine against DNS rebinding. A web page of
// evil.example can let its name resolve to 127.0.0.1. The browser then lets the page read what the
// server answers, because both have the same origin. Only the Host header shows the page's name.
package hostcheck

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Refusal is the answer to a request for another host.
const Refusal = "This address answers only requests for localhost or an IP address, so that a web page cannot read it through DNS rebinding. " +
	"Open it as http://localhost:PORT; a proxy in front of it must send such a Host header."

// Local reports whether a Host header, with or without a port, cannot be the name of a web page
// elsewhere: it is an IP address, which cannot be rebound, localhost, or a name below localhost,
// which browsers resolve to this machine (RFC 6761).
func Local(host string) bool {
	name, port, _ := strings.Cut(host, ":")
	if bracketed, found := strings.CutPrefix(host, "["); found {
		name, port, found = strings.Cut(bracketed, "]")
		port, isPort := strings.CutPrefix(port, ":")
		address, err := netip.ParseAddr(name)
		if err != nil || !found || !address.Is6() || address.Zone() != "" {
			return false
		}
		return isPort && isPortNumber(port) || port == ""
	}
	if !isPortNumber(port) {
		return false
	}
	if address, err := netip.ParseAddr(name); err == nil {
		return address.Is4()
	}
	return isLocalName(strings.TrimSuffix(strings.ToLower(name), "."))
}

// isPortNumber reports whether a port is valid in a URL, which permits an empty one (RFC 3986).
func isPortNumber(port string) bool {
	_, err := strconv.ParseUint(port, 10, 16)
	return err == nil || port == ""
}

func isLocalName(name string) bool {
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return labels[len(labels)-1] == "localhost"
}

// Guard returns a handler that passes requests to next if their Host header is [Local]. It answers
// others with 421 Misdirected Request.
func Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !Local(r.Host) {
			http.Error(w, Refusal, http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Proxy returns a handler that passes requests to target, with a user name and a password, after
// [Guard]. Upgraded connections and streams pass through.
func Proxy(target *url.URL, user, password string) http.Handler {
	return Guard(&httputil.ReverseProxy{
		FlushInterval: -1, // Send each part of an answer at once.
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.URL.RawQuery = r.In.URL.RawQuery // Otherwise the proxy would remove parts that it cannot parse.
			r.Out.SetBasicAuth(user, password)
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, fmt.Sprintf("%s does not answer: %v", target.Host, err), http.StatusBadGateway)
		},
	})
}
