package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"

	"k8s.io/client-go/util/keyutil"

	"github.com/operator-tracing/sandbox/sandbox/file"
)

// SigningKey ensures a key for ServiceAccount tokens. It returns the paths of the private and the
// public key, and reports whether it wrote either of them. It writes a key if the file is missing
// or unreadable, and the public key also if it does not match the private key. A new private key
// invalidates all tokens that the old key signed.
func (s Store) SigningKey(name string) (path, public string, made bool, err error) {
	if err := s.open(name); err != nil {
		return "", "", false, fmt.Errorf("opening signing key %s: %w", name, err)
	}
	path, public = s.file(name+".key"), s.file(name+".pub")
	key, err := loadSigningKey(path)
	if err != nil {
		made = true
		if key, err = newSigningKey(path); err != nil {
			return "", "", false, fmt.Errorf("creating signing key %s: %w", name, err)
		}
	}
	if !isPublicKey(public, key) {
		made = true
		if err = writePublicKey(public, key); err != nil {
			return "", "", false, fmt.Errorf("creating signing key %s: %w", name, err)
		}
	}
	return path, public, made, nil
}

func loadSigningKey(path string) (*ecdsa.PrivateKey, error) {
	data, err := file.ReadPrivate(path)
	if err != nil {
		return nil, err
	}
	parsed, err := keyutil.ParsePrivateKeyPEM(data)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("reading %s: not an ECDSA P-256 key", path)
	}
	return key, nil
}

func newSigningKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	data, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return nil, err
	}
	return key, file.Write(path, data, privateMode)
}

// isPublicKey reports whether a file contains the public key of key and no other key.
func isPublicKey(path string, key *ecdsa.PrivateKey) bool {
	data, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	keys, err := keyutil.ParsePublicKeysPEM(data)
	return err == nil && len(keys) == 1 && key.PublicKey.Equal(keys[0])
}

func writePublicKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	return file.Write(path, pem.EncodeToMemory(&pem.Block{Type: keyutil.PublicKeyBlockType, Bytes: der}), publicMode)
}
