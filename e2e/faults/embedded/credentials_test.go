package embedded

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestCertificatesOfTheFuture replaces certificates with ones that are not valid for another hour,
// as after the clock is set back. up creates new ones.
func TestCertificatesOfTheFuture(t *testing.T) {
	for _, c := range []struct {
		name  string
		which func(*x509.Certificate) bool
	}{
		{"of processes and of the user", func(c *x509.Certificate) bool { return !c.IsCA }},
		{"authorities", func(c *x509.Certificate) bool { return c.IsCA }},
		{"all", func(*x509.Certificate) bool { return true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSandbox(t)
			s.up()
			s.moveCertificates(c.which)
			s.up()
			for path, certificate := range s.certificates() {
				if time.Now().Before(certificate.NotBefore) {
					t.Errorf("%s is still not valid before %s", path, certificate.NotBefore)
				}
			}
			s.wantTrace("after-certificates")
		})
	}
}

// certificates returns the certificates in the sandbox's pki folder, by path.
func (s *sandbox) certificates() map[string]*x509.Certificate {
	s.T.Helper()
	paths, err := filepath.Glob(s.Dir + "/pki/*.crt")
	if err != nil || len(paths) == 0 {
		s.T.Fatalf("finding certificates: %v", err)
	}
	found := map[string]*x509.Certificate{}
	for _, path := range paths {
		all, err := cert.CertsFromFile(path)
		if err != nil {
			s.T.Fatal(err)
		}
		found[path] = all[0]
	}
	return found
}

// moveCertificates signs certificates again, by the same authorities and for the same keys, but
// valid an hour later.
func (s *sandbox) moveCertificates(which func(*x509.Certificate) bool) {
	s.T.Helper()
	all := s.certificates()
	moved := 0
	for path, old := range all {
		if !which(old) {
			continue
		}
		moved++
		for signerPath, signer := range all {
			if !signer.IsCA || old.CheckSignatureFrom(signer) != nil {
				continue
			}
			later := *old
			later.NotBefore = time.Now().Add(time.Hour)
			der, err := x509.CreateCertificate(rand.Reader, &later, signer, old.PublicKey, keyIn(s.T, keyOf(signerPath)))
			if err == nil {
				err = os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: cert.CertificateBlockType, Bytes: der}), 0o644)
			}
			if err != nil {
				s.T.Fatal(err)
			}
		}
	}
	if moved < 3 {
		s.T.Fatalf("only %d certificates were replaced", moved)
	}
}

func keyOf(certificate string) string { return strings.TrimSuffix(certificate, ".crt") + ".key" }

func keyIn(t *testing.T, path string) *ecdsa.PrivateKey {
	t.Helper()
	key, err := keyutil.PrivateKeyFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*ecdsa.PrivateKey)
}

// TestUselessTokens replaces the tokens of processes with ones that the API server refuses. up
// creates new ones.
func TestUselessTokens(t *testing.T) {
	s := newSandbox(t)
	s.up()
	own := keyIn(t, s.Dir+"/pki/service-account.key")
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	account := &corev1.ServiceAccount{}
	if err := s.client().Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "default"}, account); err != nil {
		t.Fatal(err)
	}
	hours := func(n int) int64 { return time.Now().Add(time.Duration(n) * time.Hour).Unix() }
	for _, c := range []struct {
		name   string
		key    *ecdsa.PrivateKey
		claims map[string]any // replaced
	}{
		{"expired", own, map[string]any{"iat": hours(-2), "nbf": hours(-2), "exp": hours(-1)}},
		{"not valid yet", own, map[string]any{"iat": hours(1), "nbf": hours(1)}},
		{"of another key", other, nil},
		{"of another account", own, map[string]any{
			"sub": "system:serviceaccount:default:default",
			"kubernetes.io": map[string]any{
				"namespace": "default", "serviceaccount": map[string]any{"name": account.Name, "uid": account.UID},
			},
		}},
		{"nonsense", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := s.in(t)
			paths, err := filepath.Glob(s.Dir + "/components/*/token")
			if err != nil || len(paths) < 4 {
				t.Fatalf("finding tokens: %q: %v", paths, err)
			}
			bad := map[string]string{}
			for _, path := range paths {
				bad[path] = "nonsense"
				if c.key != nil {
					bad[path] = signAgain(t, path, c.key, c.claims)
				}
				if err := os.WriteFile(path, []byte(bad[path]), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s.up()
			for path, was := range bad {
				if now, err := os.ReadFile(path); err != nil || string(now) == was {
					t.Errorf("%s was not replaced: %v", path, err)
				}
			}
			s.wantTrace("token-" + strings.ReplaceAll(c.name, " ", "-"))
		})
	}
}

// signAgain returns the token of a file with other claims, signed (RFC 7518, section 3.4) with a
// key.
func signAgain(t *testing.T, path string, key *ecdsa.PrivateKey, replaced map[string]any) string {
	t.Helper()
	token, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(token), ".")
	decoded, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(decoded, &claims); err != nil {
		t.Fatal(err)
	}
	maps.Copy(claims, replaced)
	if decoded, err = json.Marshal(claims); err != nil {
		t.Fatal(err)
	}
	signed := parts[0] + "." + base64.RawURLEncoding.EncodeToString(decoded)
	sum := sha256.Sum256([]byte(signed))
	r, v, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	const half = 32
	signature := append(r.FillBytes(make([]byte, half)), v.FillBytes(make([]byte, half))...)
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}
