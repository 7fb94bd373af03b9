package image

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// certificateFiles are where systems keep the certificates of the authorities that they trust: Debian and its kin, Fedora's, openSUSE,
// Alpine and macOS.
var certificateFiles = []string{
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
}

// certificatesPath is where Go's programs look for them first.
const certificatesPath = "etc/ssl/certs/ca-certificates.crt"

// trusted are the certificates of the authorities that this machine trusts, those of a company's proxy included, in PEM form: of
// SSL_CERT_FILE if that has any, else the system's. Whatever else such a file holds is left out, a key above all. It is empty where there
// are none.
func trusted() []byte {
	for _, path := range append([]string{os.Getenv("SSL_CERT_FILE")}, certificateFiles...) {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		var certificates bytes.Buffer
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			if block.Type == "CERTIFICATE" {
				certificates.Write(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes}))
			}
		}
		if certificates.Len() > 0 {
			return certificates.Bytes()
		}
	}
	return nil
}

// certificates is a layer with what this machine trusts, and its key; nil where that is nothing.
func (b *Builder) certificates() (layer v1.Layer, key string, err error) {
	content := trusted()
	if len(content) == 0 {
		return nil, "", nil
	}
	hash := sha256.Sum256(content)
	key = hex.EncodeToString(hash[:8])
	layer, err = b.layer("certificates", key, func(string) ([]file, error) {
		return []file{{path: certificatesPath, content: string(content), mode: 0o644}}, nil
	})
	return layer, key, err
}
