package pki

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

func server() Request {
	return Request{
		Name: "api", CommonName: "kube-apiserver", Organizations: []string{"z", "a"},
		Hosts: []string{"localhost", "127.0.0.1", "kubernetes.default", "::1"}, Server: true,
	}
}

func TestCertificateIsReplaced(t *testing.T) {
	tests := map[string]func(t *testing.T, a *Authority, c *clock, p *Pair, r *Request){
		"no certificate":      func(t *testing.T, _ *Authority, _ *clock, p *Pair, _ *Request) { remove(t, p.CertFile) },
		"no key":              func(t *testing.T, _ *Authority, _ *clock, p *Pair, _ *Request) { remove(t, p.KeyFile) },
		"half a certificate":  func(t *testing.T, _ *Authority, _ *clock, p *Pair, _ *Request) { halve(t, p.CertFile) },
		"half a key":          func(t *testing.T, _ *Authority, _ *clock, p *Pair, _ *Request) { halve(t, p.KeyFile) },
		"killed with new key": func(t *testing.T, a *Authority, _ *clock, p *Pair, _ *Request) { copyFile(t, p.KeyFile, a.KeyFile) },
		"the CA's own": func(t *testing.T, a *Authority, _ *clock, p *Pair, _ *Request) {
			copyFile(t, p.CertFile, a.CertFile)
			copyFile(t, p.KeyFile, a.KeyFile)
		},
		"CA replaced": func(t *testing.T, a *Authority, _ *clock, _ *Pair, _ *Request) {
			remove(t, a.KeyFile)
			*a = *authority(t, a.store, "ca", true)
		},
		"clock an hour back": func(_ *testing.T, _ *Authority, c *clock, _ *Pair, _ *Request) { c.move(-time.Hour) },
		"under 30 days left": func(_ *testing.T, _ *Authority, c *clock, _ *Pair, _ *Request) { c.move(335*day + time.Second) },
		"over":               func(_ *testing.T, _ *Authority, c *clock, _ *Pair, _ *Request) { c.move(366 * day) },
		"common name":        func(_ *testing.T, _ *Authority, _ *clock, _ *Pair, r *Request) { r.CommonName = "other" },
		"one organization":   func(_ *testing.T, _ *Authority, _ *clock, _ *Pair, r *Request) { r.Organizations = []string{"z"} },
		"no organizations":   func(_ *testing.T, _ *Authority, _ *clock, _ *Pair, r *Request) { r.Organizations = nil },
		"more hosts": func(_ *testing.T, _ *Authority, _ *clock, _ *Pair, r *Request) {
			r.Hosts = append(r.Hosts, "kubernetes")
		},
		"fewer hosts":     func(_ *testing.T, _ *Authority, _ *clock, _ *Pair, r *Request) { r.Hosts = r.Hosts[1:] },
		"another address": func(_ *testing.T, _ *Authority, _ *clock, _ *Pair, r *Request) { r.Hosts[1] = "127.0.0.2" },
		"client too":      func(_ *testing.T, _ *Authority, _ *clock, _ *Pair, r *Request) { r.Client = true },
		"client only":     func(_ *testing.T, _ *Authority, _ *clock, _ *Pair, r *Request) { r.Client, r.Server = true, false },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			s, c := newStore(t)
			a, r := authority(t, s, "ca", true), server()
			before := certificate(t, a, r, true)
			spoil(t, a, c, before, &r)
			after := certificate(t, a, r, true)
			if before.Fingerprint() == after.Fingerprint() {
				t.Error("Certificate returned the old certificate, want a new one")
			}
			if err := after.Leaf.CheckSignatureFrom(a.Leaf); err != nil {
				t.Errorf("verifying the signature of the CA: %v", err)
			}
			if again := certificate(t, a, r, false); again.Fingerprint() != after.Fingerprint() {
				t.Error("the files do not contain the certificate that Certificate returned")
			}
		})
	}
}

func TestCertificateIsKept(t *testing.T) {
	tests := map[string]func(c *clock, r *Request){
		"at once":          func(*clock, *Request) {},
		"clock a bit back": func(c *clock, _ *Request) { c.move(-backdate) },
		"30 days left":     func(c *clock, _ *Request) { c.move(335 * day) },
		"another order": func(_ *clock, r *Request) {
			slices.Reverse(r.Hosts)
			slices.Reverse(r.Organizations)
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			s, c := newStore(t)
			r := server()
			before := certificate(t, authority(t, s, "ca", true), r, true)
			change(c, &r)
			after := certificate(t, authority(t, s, "ca", false), r, false)
			if before.Fingerprint() != after.Fingerprint() {
				t.Error("Certificate returned another certificate, want the existing one")
			}
			checkMode(t, after.KeyFile, 0o600)
		})
	}
}

func TestCertificateValidity(t *testing.T) {
	s, c := newStore(t)
	leaf := certificate(t, authority(t, s, "ca", true), server(), true).Leaf
	if from, until := c.Add(-5*time.Minute), c.Add(365*24*time.Hour); !leaf.NotBefore.Equal(from) || !leaf.NotAfter.Equal(until) {
		t.Errorf("validity = %s to %s, want %s to %s", leaf.NotBefore, leaf.NotAfter, from, until)
	}
	if leaf.IsCA {
		t.Error("the certificate can sign other certificates")
	}
}

func TestCertificateRefusesRequests(t *testing.T) {
	tests := map[string]struct {
		request Request
		want    string
	}{
		"no common name": {Request{Name: "c", Client: true}, "common name is empty"},
		"no usage":       {Request{Name: "c", CommonName: "u"}, "neither client nor server"},
		"no hosts":       {Request{Name: "c", CommonName: "u", Server: true}, "server has no hosts"},
		"no name":        {Request{CommonName: "u", Client: true}, `invalid file name ""`},
		"outside":        {Request{Name: "../c", CommonName: "u", Client: true}, `invalid file name "../c"`},
		"the CA's files": {Request{Name: "ca", CommonName: "u", Client: true}, "its certificate authority has the same file name"},
		"invalid host":   {Request{Name: "c", CommonName: "u", Server: true, Hosts: []string{"é"}}, "creating certificate c"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, _ := newStore(t)
			_, _, err := authority(t, s, "ca", true).Certificate(test.request)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Certificate = %v, want an error with %q", err, test.want)
			}
			authority(t, s, "ca", false)
		})
	}
}

// TestCertificatesServe uses the files for a real connection, with the real clock.
func TestCertificatesServe(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	a, stranger := authority(t, s, "ca", true), authority(t, s, "stranger", true)
	serving := certificate(t, a, server(), true)
	roots := x509.NewCertPool()
	roots.AddCert(a.Leaf)
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	web.TLS = &tls.Config{Certificates: []tls.Certificate{load(t, serving)}, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert}
	web.Config.ErrorLog = log.New(io.Discard, "", 0) // The refused are on purpose.
	web.StartTLS()
	t.Cleanup(web.Close)

	client := Request{Name: "client", CommonName: "system:kube-scheduler", Client: true}
	if got, err := get(t.Context(), web.URL, roots, load(t, certificate(t, a, client, true))); err != nil || got != client.CommonName {
		t.Errorf("user of the client = %q, %v; want system:kube-scheduler", got, err)
	}
	client.Name = "stranger-client"
	if _, err := get(t.Context(), web.URL, roots, load(t, certificate(t, stranger, client, true))); err == nil {
		t.Error("the server accepted a client certificate of another CA")
	}
	if _, err := get(t.Context(), web.URL, roots, load(t, serving)); err == nil {
		t.Error("the server accepted a server certificate from a client")
	}
	roots = x509.NewCertPool()
	roots.AddCert(stranger.Leaf)
	if _, err := get(t.Context(), web.URL, roots, load(t, certificate(t, a, Request{Name: "client", CommonName: "system:kube-scheduler", Client: true}, false))); err == nil {
		t.Error("the client accepted a server certificate of another CA")
	}
}

func load(t *testing.T, p *Pair) tls.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(p.CertFile, p.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func get(ctx context.Context, url string, roots *x509.CertPool, certificate tls.Certificate) (string, error) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate}}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}
