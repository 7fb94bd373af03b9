package pki

import (
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
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
	// Leaf is the certificate.
	Leaf *x509.Certificate

	key crypto.Signer
}

// Fingerprint returns the SHA-256 hash of the certificate, in hexadecimal digits. It changes
// whenever the certificate or its key changes.
func (p *Pair) Fingerprint() string {
	sum := sha256.Sum256(p.Leaf.Raw)
	return hex.EncodeToString(sum[:])
}

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
	if err := restrict(s.Dir, folderMode); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (s Store) file(name, extension string) string { return filepath.Join(s.Dir, name+extension) }

// load reads a certificate and its key. It returns an error if they are not usable.
func (s Store) load(name string) (*Pair, error) {
	pair := &Pair{CertFile: s.file(name, ".crt"), KeyFile: s.file(name, ".key")}
	certificate, err := os.ReadFile(pair.CertFile)
	if err != nil {
		return nil, err
	}
	key, err := ReadPrivate(pair.KeyFile)
	if err != nil {
		return nil, err
	}
	both, err := tls.X509KeyPair(certificate, key) // Returns an error if they do not match.
	if err != nil {
		return nil, err
	}
	signer, ok := both.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("reading %s: the key cannot sign", pair.KeyFile)
	}
	pair.Leaf, pair.key = both.Leaf, signer
	return pair, nil
}

// save writes the key and then the certificate. If the process is killed between the two, the files
// do not match, and load returns an error.
func (s Store) save(name string, key crypto.Signer, der []byte) (*Pair, error) {
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	pair := &Pair{CertFile: s.file(name, ".crt"), KeyFile: s.file(name, ".key"), Leaf: leaf, key: key}
	keyPEM, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return nil, err
	}
	certPEM, err := cert.EncodeCertificates(leaf)
	if err != nil {
		return nil, err
	}
	if err := WriteFile(pair.KeyFile, keyPEM, privateMode); err != nil {
		return nil, err
	}
	if err := WriteFile(pair.CertFile, certPEM, publicMode); err != nil {
		return nil, err
	}
	return pair, nil
}
