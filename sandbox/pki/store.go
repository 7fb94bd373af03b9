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

// Store is a folder of certificates and keys: NAME.crt and NAME.key for a certificate, NAME.key and NAME.pub for a signing key,
// all PEM, all ECDSA P-256. The folder is its owner's alone, and so are the keys in it. It is made when it is first written to.
//
// Calls for different names may run at the same time. Calls for the same name must not, in this process or another.
type Store struct {
	// Dir is the folder.
	Dir string
	// Now tells the time; nil is [time.Now].
	Now func() time.Time
}

// Pair is a certificate with its key, in files.
type Pair struct {
	// CertFile and KeyFile are the files' paths.
	CertFile, KeyFile string
	// Leaf is the certificate.
	Leaf *x509.Certificate

	key crypto.Signer
}

// Fingerprint is the SHA-256 of the certificate, in hexadecimal digits. It changes whenever the certificate or its key does.
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

// open checks a name and closes the folder to others, if it exists.
func (s Store) open(name string) error {
	if name == "" || name == "." || name == ".." || filepath.Base(name) != name {
		return fmt.Errorf("%q can't be the name of a file", name)
	}
	if err := closeToOthers(s.Dir, folderMode); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (s Store) file(name, extension string) string { return filepath.Join(s.Dir, name+extension) }

// load reads a certificate and its key; an error says why they are of no use.
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
	both, err := tls.X509KeyPair(certificate, key) // It compares the two as well.
	if err != nil {
		return nil, err
	}
	signer, ok := both.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s: a key that can't sign", pair.KeyFile)
	}
	pair.Leaf, pair.key = both.Leaf, signer
	return pair, nil
}

// save writes a certificate and its key, the key first: whoever is killed between the two leaves files that don't belong
// together, and load refuses those.
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
