package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestAuthorityIsReplaced(t *testing.T) {
	tests := map[string]func(t *testing.T, s Store, c *clock, a *Authority){
		"no certificate":      func(t *testing.T, _ Store, _ *clock, a *Authority) { remove(t, a.CertFile) },
		"no key":              func(t *testing.T, _ Store, _ *clock, a *Authority) { remove(t, a.KeyFile) },
		"half a certificate":  func(t *testing.T, _ Store, _ *clock, a *Authority) { halve(t, a.CertFile) },
		"half a key":          func(t *testing.T, _ Store, _ *clock, a *Authority) { halve(t, a.KeyFile) },
		"empty certificate":   func(t *testing.T, _ Store, _ *clock, a *Authority) { write(t, a.CertFile, nil) },
		"empty key":           func(t *testing.T, _ Store, _ *clock, a *Authority) { write(t, a.KeyFile, nil) },
		"killed with new key": func(t *testing.T, s Store, _ *clock, a *Authority) { copyFile(t, a.KeyFile, other(t).KeyFile) },
		"another certificate": func(t *testing.T, s Store, _ *clock, a *Authority) { copyFile(t, a.CertFile, other(t).CertFile) },
		"not a CA":            func(t *testing.T, s Store, _ *clock, a *Authority) { replace(t, s, a, false) },
		"another's CA":        func(t *testing.T, s Store, _ *clock, a *Authority) { replace(t, s, a, true) },
		"another name": func(t *testing.T, s Store, _ *clock, a *Authority) {
			b := authority(t, s, "b", true)
			copyFile(t, a.CertFile, b.CertFile)
			copyFile(t, a.KeyFile, b.KeyFile)
		},
		"clock an hour back": func(_ *testing.T, _ Store, c *clock, _ *Authority) { c.move(-time.Hour) },
		"almost over": func(_ *testing.T, _ Store, c *clock, _ *Authority) {
			c.move(authorityLife - authorityRenewal + time.Second)
		},
		"over": func(_ *testing.T, _ Store, c *clock, _ *Authority) { c.move(authorityLife + day) },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			s, c := newStore(t)
			before := authority(t, s, "ca", true)
			spoil(t, s, c, before)
			after := authority(t, s, "ca", true)
			if before.Fingerprint() == after.Fingerprint() {
				t.Error("Authority returned the old certificate, want a new one")
			}
			if again := authority(t, s, "ca", false); again.Fingerprint() != after.Fingerprint() {
				t.Error("the files do not contain the certificate that Authority returned")
			}
		})
	}
}

// replace replaces the certificate of a with one signed by a, with the same name and validity.
func replace(t *testing.T, s Store, a *Authority, isCA bool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := s.template(a.Leaf.Subject, authorityLife)
	template.IsCA, template.KeyUsage = isCA, a.Leaf.KeyUsage
	der, err := x509.CreateCertificate(rand.Reader, template, a.Leaf, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.save("ca", key, der); err != nil {
		t.Fatal(err)
	}
}

// other creates a CA with the same name in another folder.
func other(t *testing.T) *Authority {
	t.Helper()
	s, _ := newStore(t)
	return authority(t, s, "ca", true)
}

func TestAuthorityIsKept(t *testing.T) {
	tests := map[string]func(t *testing.T, c *clock, a *Authority){
		"at once":          func(*testing.T, *clock, *Authority) {},
		"clock a bit back": func(_ *testing.T, c *clock, _ *Authority) { c.move(-backdate) },
		"13 months left":   func(_ *testing.T, c *clock, _ *Authority) { c.move(authorityLife - authorityRenewal) },
		"killed while new": func(t *testing.T, _ *clock, a *Authority) { write(t, a.KeyFile+".new", []byte("-----BEGIN")) },
		"files open to all": func(t *testing.T, _ *clock, a *Authority) {
			for path, mode := range map[string]os.FileMode{a.KeyFile: 0o644, filepath.Dir(a.KeyFile): 0o755} {
				if err := os.Chmod(path, mode); err != nil {
					t.Fatal(err)
				}
			}
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			s, c := newStore(t)
			before := authority(t, s, "ca", true)
			change(t, c, before)
			after := authority(t, s, "ca", false)
			if before.Fingerprint() != after.Fingerprint() {
				t.Error("Authority returned another certificate, want the existing one")
			}
			checkMode(t, s.Dir, 0o700)
			checkMode(t, after.KeyFile, 0o600)
		})
	}
}

func TestAuthorityRemovesTheFilesOfAnInterruptedRun(t *testing.T) {
	s, _ := newStore(t)
	a := authority(t, s, "ca", true)
	write(t, a.KeyFile+".new", []byte("-----BEGIN"))
	if err := os.Chmod(a.KeyFile+".new", 0o644); err != nil {
		t.Fatal(err)
	}
	remove(t, a.KeyFile)
	a = authority(t, s, "ca", true)
	checkMode(t, a.KeyFile, 0o600)
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 2 {
		t.Errorf("files = %v, want only a certificate and a key", entries)
	}
}

func TestAuthorityValidity(t *testing.T) {
	s, c := newStore(t)
	a := authority(t, s, "ca", true)
	if want := c.Add(-5 * time.Minute); !a.Leaf.NotBefore.Equal(want) {
		t.Errorf("NotBefore = %s, want %s", a.Leaf.NotBefore, want)
	}
	if want := c.Add(10 * 365 * 24 * time.Hour); !a.Leaf.NotAfter.Equal(want) {
		t.Errorf("NotAfter = %s, want %s", a.Leaf.NotAfter, want)
	}
	if key, ok := a.Leaf.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("public key = %T, want ECDSA P-256", a.Leaf.PublicKey)
	}
	if a.CertFile != filepath.Join(s.Dir, "ca.crt") || a.KeyFile != filepath.Join(s.Dir, "ca.key") {
		t.Errorf("files = %s and %s, want ca.crt and ca.key", a.CertFile, a.KeyFile)
	}
	checkMode(t, s.Dir, 0o700)
	checkMode(t, a.KeyFile, 0o600)
	// The last certificate that a CA signs before its replacement expires before the CA.
	c.move(authorityLife - authorityRenewal)
	a = authority(t, s, "ca", false)
	if leaf := certificate(t, a, Request{Name: "leaf", CommonName: "u", Client: true}, true); leaf.Leaf.NotAfter.After(a.Leaf.NotAfter) {
		t.Errorf("certificate expires at %s, after its CA at %s", leaf.Leaf.NotAfter, a.Leaf.NotAfter)
	}
}

func TestStoresAreIndependent(t *testing.T) {
	one, _ := newStore(t)
	two, _ := newStore(t)
	a, b := authority(t, one, "ca", true), authority(t, two, "ca", true)
	if a.Fingerprint() == b.Fingerprint() || a.Leaf.PublicKey.(*ecdsa.PublicKey).Equal(b.Leaf.PublicKey) {
		t.Error("two stores have the same CA")
	}
	if a.Leaf.SerialNumber.Cmp(b.Leaf.SerialNumber) == 0 {
		t.Error("two certificates have the same serial number")
	}
	remove(t, a.KeyFile)
	authority(t, one, "ca", true)
	if again := authority(t, two, "ca", false); again.Fingerprint() != b.Fingerprint() {
		t.Error("replacing one CA changed the other")
	}
}
