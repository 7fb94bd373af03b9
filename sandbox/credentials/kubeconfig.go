package credentials

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/operator-tracing/sandbox/sandbox/file"
)

// private is the mode of all files.
const private = 0o600

// Kubeconfig is the content of a kubeconfig with one cluster, one user and one context.
type Kubeconfig struct {
	// User is the name of the user in the file (default "sandbox").
	User string
	// Server is the URL of the API server.
	Server string

	// The certificate authority of the server: either CAData as PEM or CAFile.
	CAFile string
	CAData []byte
	// The certificate and key of the client.
	CertFile, KeyFile string
	// TokenFile is a file with the token of the client, which client-go re-reads every minute. A
	// client has either a certificate or a token.
	TokenFile string

	// Inline embeds the content of CAFile, CertFile and KeyFile instead of their paths, so that the
	// kubeconfig can be copied. TokenFile always remains a path, because the token is renewed.
	Inline bool
}

// WriteKubeconfig ensures a kubeconfig at path, readable only for its owner, and reports whether it
// changed the file. Paths in k must be absolute. Errors name the file.
func WriteKubeconfig(path string, k Kubeconfig) (changed bool, err error) {
	data, err := k.Text()
	if err != nil {
		return false, fmt.Errorf("writing kubeconfig %s: %w", path, err)
	}
	if old, err := file.ReadPrivate(path); err == nil && bytes.Equal(old, data) {
		return false, nil
	}
	if err := file.Write(path, data, private); err != nil {
		return false, fmt.Errorf("writing kubeconfig: %w", err)
	}
	return true, nil
}

// Text returns the kubeconfig as YAML. Paths in it must be absolute. If Inline is set, Text reads
// the files; otherwise they need not exist.
func (k Kubeconfig) Text() ([]byte, error) {
	if err := k.check(); err != nil {
		return nil, err
	}
	const name = "sandbox"
	user := cmp.Or(k.User, name)
	config := clientcmdapi.NewConfig()
	config.CurrentContext = name
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: user}
	config.Clusters[name] = &clientcmdapi.Cluster{Server: k.Server, CertificateAuthority: k.CAFile, CertificateAuthorityData: k.CAData}
	config.AuthInfos[user] = &clientcmdapi.AuthInfo{ClientCertificate: k.CertFile, ClientKey: k.KeyFile, TokenFile: k.TokenFile}
	if k.Inline {
		if err := clientcmdapi.FlattenConfig(config); err != nil {
			return nil, err
		}
	}
	return clientcmd.Write(*config)
}

func (k Kubeconfig) check() error {
	switch {
	case k.Server == "":
		return errors.New("server is empty")
	case len(k.CAData) == 0 && k.CAFile == "":
		return errors.New("certificate authority is empty")
	case len(k.CAData) > 0 && k.CAFile != "":
		return errors.New("the certificate authority must be either data or a file")
	case (k.CertFile != "") != (k.KeyFile != ""):
		return errors.New("a client certificate requires a key, and a key requires a certificate")
	case (k.CertFile != "") == (k.TokenFile != ""):
		return errors.New("the client requires either a certificate or a token file")
	}
	for _, file := range []string{k.CAFile, k.CertFile, k.KeyFile, k.TokenFile} {
		if file != "" && !filepath.IsAbs(file) {
			return fmt.Errorf("path %q is not absolute", file)
		}
	}
	return nil
}
