package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// pair writes a certificate for 127.0.0.1 with its key to dir, self-signed without a parent.
func pair(t *testing.T, dir string, parent *tls.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: dir}, NotAfter: time.Now().Add(time.Hour), IsCA: parent == nil, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	signer, signerKey := template, any(key)
	if parent != nil {
		signer, signerKey = parent.Leaf, parent.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer, &key.PublicKey, signerKey)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert, private := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	for name, data := range map[string][]byte{"tls.crt": cert, "tls.key": private} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	loaded, err := tls.X509KeyPair(cert, private)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// With --webhook-client-ca, only clients with a certificate of that CA reach the webhook.
func TestWebhookAcceptsTheAPIServerOnly(t *testing.T) {
	t.Parallel()
	ca, serving := t.TempDir(), t.TempDir()
	authority := pair(t, ca, nil)
	pair(t, serving, nil)
	good, stranger := pair(t, t.TempDir(), &authority), pair(t, t.TempDir(), nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		args    []string
		clients map[*tls.Certificate]bool
	}{
		{"a client CA", []string{"--webhook-client-ca=" + filepath.Join(ca, "tls.crt")}, map[*tls.Certificate]bool{nil: false, &stranger: false, &good: true}},
		{"no client CA", nil, map[*tls.Certificate]bool{nil: true, &stranger: true}},
	} {
		o := parse(t, nil, append(test.args, "--webhook-host=127.0.0.1", "--webhook-port="+strconv.Itoa(port), "--webhook-cert-dir="+serving)...)
		server := webhookServer(o)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- server.Start(ctx) }()
		for server.StartedChecker()(nil) != nil {
			select {
			case err := <-done:
				t.Fatalf("the server stopped: %v", err)
			case <-time.After(10 * time.Millisecond):
			}
		}
		for client, want := range test.clients {
			config := &tls.Config{InsecureSkipVerify: true} // The test is about the client's certificate.
			if client != nil {
				config.Certificates = []tls.Certificate{*client}
			}
			transport := &http.Transport{TLSClientConfig: config}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://127.0.0.1:"+strconv.Itoa(port)+"/", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			response, err := (&http.Client{Transport: transport}).Do(request)
			if err == nil {
				_ = response.Body.Close()
			}
			transport.CloseIdleConnections()
			if (err == nil) != want {
				t.Errorf("a request with %s: error %v, want success %t", test.name, err, want)
			}
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for _, file := range []string{filepath.Join(ca, "none"), filepath.Join(ca, "tls.key")} {
		if _, err := parseOptions([]string{"--webhook-client-ca=" + file}, envOf(nil), os.Stderr); err == nil {
			t.Errorf("--webhook-client-ca=%s: got no error", filepath.Base(file))
		}
	}
}
