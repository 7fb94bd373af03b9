package pki

import (
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"

	"github.com/operator-tracing/sandbox/sandbox/file"
)

const (
	privateMode = 0o600
	publicMode  = 0o644
)

// Store is a folder of certificates and keys: NAME.crt and NAME.key for a certificate, NAME.key and
// NAME.pub for a signing key. All are PEM-encoded ECDSA P-256. Only the owner can access the folder
// and the keys in it. The first write creates the folder.
//
// Calls for different names can run concurrently. Calls for the same name must not, even in
// different processes.
type Store struct {
	// Dir is the path of the folder.
	Dir string
	// Now returns the current time (default [time.Now]).
	Now func() time.Time
}

// Pair is a certificate and its key, in files.
type Pair struct {
	// CertFile and KeyFile are the paths of the files.
	CertFile, KeyFile string
	// Certificate and Key are the content of the files, as PEM.
	Certificate, Key []byte
	// Leaf is the certificate.
	Leaf *x509.Certificate

	key crypto.Signer
}

// NewPair returns the pair of a certificate and its key, as PEM, for the files base.crt and base.key. It
// returns an error if they do not match.
func NewPair(base string, certificate, key []byte) (*Pair, error) {
	both, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, err
	}
	signer, ok := both.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("reading %s.key: the key cannot sign", base)
	}
	return &Pair{CertFile: base + ".crt", KeyFile: base + ".key", Certificate: certificate, Key: key, Leaf: both.Leaf, key: signer}, nil
}

// LoadPair reads the files base.crt and base.key. It returns an error if they are not usable.
func LoadPair(base string) (*Pair, error) {
	certificate, err := os.ReadFile(base + ".crt")
	if err != nil {
		return nil, err
	}
	key, err := file.ReadPrivate(base + ".key")
	if err != nil {
		return nil, err
	}
	return NewPair(base, certificate, key)
}

// Write writes the key and then the certificate. If the process is killed between the two, the files
// do not match, and [LoadPair] returns an error.
func (p *Pair) Write(mode os.FileMode) error {
	if err := file.Write(p.KeyFile, p.Key, privateMode); err != nil {
		return err
	}
	return file.Write(p.CertFile, p.Certificate, mode)
}

// Fingerprint returns the SHA-256 hash of the certificate, in hexadecimal digits. It changes
// whenever the certificate or its key changes.
func (p *Pair) Fingerprint() string { return fmt.Sprintf("%x", sha256.Sum256(p.Leaf.Raw)) }

func (s Store) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// open validates a name and, if the folder exists, restricts its permissions to the owner.
func (s Store) open(name string) error {
	if name == "" || name == "." || name == ".." || filepath.Base(name) != name {
		return fmt.Errorf("invalid file name %q", name)
	}
	if err := file.Restrict(s.Dir, 0o700); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (s Store) file(name string) string { return filepath.Join(s.Dir, name) }

// save writes a certificate and its key.
func (s Store) save(name string, key crypto.Signer, der []byte) (*Pair, error) {
	keyPEM, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return nil, err
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: cert.CertificateBlockType, Bytes: der})
	pair, err := NewPair(s.file(name), certificate, keyPEM)
	if err != nil {
		return nil, err
	}
	err = pair.Write(publicMode)
	return pair, err
}
