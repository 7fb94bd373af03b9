package tracing

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
)

func serviceAccountToken(sub string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"`+sub+`"}`)) + ".c2ln"
}

// clientCertificate returns a self-signed certificate in PEM, after its key.
func clientCertificate(t *testing.T, name string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Organization: []string{"group"}}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte("not read")})
	return append(private, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
}

func TestConfigUsernames(t *testing.T) {
	t.Parallel()
	const account, other = "system:serviceaccount:ns:operator", "system:serviceaccount:ns:other"
	certificate := clientCertificate(t, "cache-operator")
	file := func(content string) string {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, tc := range map[string]struct {
		cfg  *rest.Config
		want []string
	}{
		"nil":                     {},
		"empty":                   {cfg: &rest.Config{}},
		"token":                   {cfg: &rest.Config{BearerToken: serviceAccountToken(account)}, want: []string{account}},
		"token file":              {cfg: &rest.Config{BearerTokenFile: file(serviceAccountToken(account) + "\n")}, want: []string{account}},
		"in cluster":              {cfg: &rest.Config{BearerToken: serviceAccountToken(account), BearerTokenFile: file(serviceAccountToken(account))}, want: []string{account}},
		"token and other file":    {cfg: &rest.Config{BearerToken: serviceAccountToken(account), BearerTokenFile: file(serviceAccountToken(other))}, want: []string{other, account}},
		"certificate":             {cfg: &rest.Config{TLSClientConfig: rest.TLSClientConfig{CertData: certificate}}, want: []string{"cache-operator"}},
		"certificate file":        {cfg: &rest.Config{TLSClientConfig: rest.TLSClientConfig{CertFile: file(string(certificate))}}, want: []string{"cache-operator"}},
		"data before file":        {cfg: &rest.Config{TLSClientConfig: rest.TLSClientConfig{CertData: certificate, CertFile: file("no certificate")}}, want: []string{"cache-operator"}},
		"basic":                   {cfg: &rest.Config{Username: "admin", Password: "secret"}, want: []string{"admin"}},
		"all of them":             {cfg: &rest.Config{Username: "admin", BearerToken: serviceAccountToken(account), TLSClientConfig: rest.TLSClientConfig{CertData: certificate}}, want: []string{"cache-operator", account, "admin"}},
		"impersonated":            {cfg: &rest.Config{Impersonate: rest.ImpersonationConfig{UserName: "jane"}, BearerToken: serviceAccountToken(account)}, want: []string{"jane"}},
		"opaque token":            {cfg: &rest.Config{BearerToken: "opaque"}},
		"token of no account":     {cfg: &rest.Config{BearerToken: serviceAccountToken("jane")}},
		"token without JSON":      {cfg: &rest.Config{BearerToken: "e30.bm90IGpzb24.c2ln"}},
		"token without base64":    {cfg: &rest.Config{BearerToken: "e30.***.c2ln"}},
		"no such file":            {cfg: &rest.Config{BearerTokenFile: "/no/such/file", TLSClientConfig: rest.TLSClientConfig{CertFile: "/no/such/file"}}},
		"a folder":                {cfg: &rest.Config{BearerTokenFile: t.TempDir(), TLSClientConfig: rest.TLSClientConfig{CertFile: t.TempDir()}}},
		"a huge file":             {cfg: &rest.Config{BearerTokenFile: file(serviceAccountToken(account) + strings.Repeat("\n", maxCredential))}},
		"empty file":              {cfg: &rest.Config{BearerTokenFile: file(""), TLSClientConfig: rest.TLSClientConfig{CertFile: file("")}}},
		"no PEM":                  {cfg: &rest.Config{TLSClientConfig: rest.TLSClientConfig{CertData: []byte("no PEM")}}},
		"PEM without certificate": {cfg: &rest.Config{TLSClientConfig: rest.TLSClientConfig{CertData: []byte("-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n")}}},
		"certificate, no name":    {cfg: &rest.Config{TLSClientConfig: rest.TLSClientConfig{CertData: clientCertificate(t, "")}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, configUsernames(tc.cfg)); diff != "" {
				t.Errorf("configUsernames() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOwnIdentity(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			registerIdentity("identity-test-a", "", "identity-test-b")
			isOwnIdentity("identity-test-a")
		})
	}
	wg.Wait()
	registerIdentity()
	for name, want := range map[string]bool{"identity-test-a": true, "identity-test-b": true, "identity-test": false, "": false} {
		if got := isOwnIdentity(name); got != want {
			t.Errorf("isOwnIdentity(%q) = %t, want %t", name, got, want)
		}
	}
}
