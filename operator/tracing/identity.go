package tracing

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"slices"
	"sync"

	"k8s.io/client-go/rest"
)

// maxCredential is how many bytes of a token or certificate file are read. Larger files are
// ignored.
const maxCredential = 1 << 20

// identities holds the user names of this process. Managers add names; none is removed.
var identities sync.Map

// registerIdentity adds user names under which this process writes. Empty names are ignored.
func registerIdentity(names ...string) {
	for _, name := range names {
		if name != "" {
			identities.Store(name, true)
		}
	}
}

// isOwnIdentity reports whether a user name is one that this process writes under: a registered
// name, or the service account of its pod.
func isOwnIdentity(name string) bool {
	if _, ok := identities.Load(name); ok {
		return true
	}
	return name != "" && ownServiceAccount()[name]
}

// configUsernames returns the user names that an API server may see for requests with a
// configuration. It sends no request and reads only the configuration. An impersonated user
// replaces the real one. Exec plugins and tokens that are not a service account's contain no user
// name.
func configUsernames(cfg *rest.Config) []string {
	if cfg == nil {
		return nil
	}
	if cfg.Impersonate.UserName != "" {
		return []string{cfg.Impersonate.UserName}
	}
	var names []string
	for _, name := range []string{
		certificateName(credential(cfg.CertData, cfg.CertFile)),
		tokenSubject(string(credential(nil, cfg.BearerTokenFile))),
		tokenSubject(cfg.BearerToken),
		cfg.Username,
	} {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// credential returns data, or the content of a regular file if data is empty, like client-go.
func credential(data []byte, file string) []byte {
	if len(data) > 0 || file == "" {
		return data
	}
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxCredential {
		return nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	return content
}

// certificateName returns the common name of the first certificate in PEM data. API servers use it
// as the user name.
func certificateName(data []byte) string {
	for {
		block, rest := pem.Decode(data)
		switch {
		case block == nil:
			return ""
		case block.Type != "CERTIFICATE":
			data = rest
		default:
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return ""
			}
			return certificate.Subject.CommonName
		}
	}
}
