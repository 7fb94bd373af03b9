package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"path/filepath"
	"testing"

	"k8s.io/client-go/util/keyutil"
)

// signingKey ensures a signing key, checks whether it wrote a file, and checks that the two files
// match.
func signingKey(t *testing.T, s Store, want bool) (path, public string) {
	t.Helper()
	path, public, wrote, err := s.SigningKey("service-accounts")
	if err != nil {
		t.Fatal(err)
	}
	if wrote != want {
		t.Fatalf("SigningKey wrote a file: %t, want %t", wrote, want)
	}
	private, err := keyutil.PrivateKeyFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := keyutil.PublicKeysFromFile(public)
	if err != nil {
		t.Fatal(err)
	}
	if key := private.(*ecdsa.PrivateKey); len(keys) != 1 || !key.PublicKey.Equal(keys[0]) {
		t.Error("the public key does not match the private key")
	}
	if bytes.Contains(read(t, public), []byte("PRIVATE")) {
		t.Error("the public file contains the private key")
	}
	return path, public
}

func TestSigningKey(t *testing.T) {
	tests := map[string]struct {
		spoil       func(t *testing.T, path, public string)
		wrote, kept bool
	}{
		"fine":         {spoil: func(*testing.T, string, string) {}, kept: true},
		"no private":   {spoil: func(t *testing.T, path, _ string) { remove(t, path) }, wrote: true},
		"half private": {spoil: func(t *testing.T, path, _ string) { halve(t, path) }, wrote: true},
		"no public":    {spoil: func(t *testing.T, _, public string) { remove(t, public) }, wrote: true, kept: true},
		"half public":  {spoil: func(t *testing.T, _, public string) { halve(t, public) }, wrote: true, kept: true},
		"killed with new private": {spoil: func(t *testing.T, path, _ string) {
			writeKey(t, path, elliptic.P256())
		}, wrote: true},
		"another curve": {spoil: func(t *testing.T, path, _ string) { writeKey(t, path, elliptic.P384()) }, wrote: true},
		"two public keys": {spoil: func(t *testing.T, _, public string) {
			s, _ := newStore(t)
			_, other := signingKey(t, s, true)
			write(t, public, append(read(t, public), read(t, other)...))
		}, wrote: true, kept: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, _ := newStore(t)
			path, public := signingKey(t, s, true)
			if path != filepath.Join(s.Dir, "service-accounts.key") || public != filepath.Join(s.Dir, "service-accounts.pub") {
				t.Errorf("files = %s and %s, want service-accounts.key and service-accounts.pub", path, public)
			}
			before := read(t, path)
			test.spoil(t, path, public)
			signingKey(t, s, test.wrote)
			if kept := bytes.Equal(before, read(t, path)); kept != test.kept {
				t.Errorf("private key kept: %t, want %t", kept, test.kept)
			}
			signingKey(t, s, false)
			checkMode(t, s.Dir, 0o700)
			checkMode(t, path, 0o600)
		})
	}
}

func writeKey(t *testing.T, path string, curve elliptic.Curve) {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	data, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, data)
}
