package credentials

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/operator-tracing/sandbox/sandbox/pki"
)

// private is the mode of every file here.
const private = 0o600

// Kubeconfig is the content of a kubeconfig with one cluster, one user and one context.
type Kubeconfig struct {
	// Name is the cluster's and the context's; empty is "sandbox".
	Name string
	// User is the user's name in the file; empty is Name.
	User string
	// Namespace is the context's; empty is Kubernetes' default.
	Namespace string
	// Server is the API server's URL.
	Server string

	// The certificate authority of the server: either CAData as PEM or CAFile.
	CAFile string
	CAData []byte
	// The client's certificate and key: either CertData and KeyData as PEM, or CertFile and KeyFile.
	CertFile, KeyFile string
	CertData, KeyData []byte
	// TokenFile has the client's token, and client-go reads it again every minute. A client has either a certificate or a token.
	TokenFile string

	// Inline puts the content of CAFile, CertFile and KeyFile in place of their paths, so that the kubeconfig can be copied.
	// A token file stays a path: the token in it is replaced.
	Inline bool
}

// WriteKubeconfig makes sure of a kubeconfig at path, for its owner alone, and reports whether it changed it. Paths in it must
// be absolute. Errors name the file.
func WriteKubeconfig(path string, k Kubeconfig) (changed bool, err error) {
	data, err := k.Text()
	if err != nil {
		return false, fmt.Errorf("writing kubeconfig %s: %w", path, err)
	}
	if old, err := pki.ReadPrivate(path); err == nil && bytes.Equal(old, data) {
		return false, nil
	}
	if err := pki.WriteFile(path, data, private); err != nil {
		return false, fmt.Errorf("writing kubeconfig: %w", err)
	}
	return true, nil
}

// Text is the kubeconfig as YAML. Paths in it must be absolute; with Inline they are read, and else need not be there.
func (k Kubeconfig) Text() ([]byte, error) {
	config, err := k.config()
	if err != nil {
		return nil, err
	}
	return clientcmd.Write(*config)
}

func (k Kubeconfig) config() (*clientcmdapi.Config, error) {
	if err := k.check(); err != nil {
		return nil, err
	}
	name := cmp.Or(k.Name, "sandbox")
	user := cmp.Or(k.User, name)
	config := clientcmdapi.NewConfig()
	config.CurrentContext = name
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: user, Namespace: k.Namespace}
	config.Clusters[name] = &clientcmdapi.Cluster{
		Server: k.Server, CertificateAuthority: k.CAFile, CertificateAuthorityData: k.CAData,
	}
	config.AuthInfos[user] = &clientcmdapi.AuthInfo{
		ClientCertificate: k.CertFile, ClientCertificateData: k.CertData,
		ClientKey: k.KeyFile, ClientKeyData: k.KeyData,
		TokenFile: k.TokenFile,
	}
	if k.Inline {
		if err := clientcmdapi.FlattenConfig(config); err != nil {
			return nil, err
		}
	}
	return config, nil
}

func (k Kubeconfig) check() error {
	certificate := len(k.CertData) > 0 || k.CertFile != ""
	key := len(k.KeyData) > 0 || k.KeyFile != ""
	switch {
	case k.Server == "":
		return errors.New("no server")
	case len(k.CAData) == 0 && k.CAFile == "":
		return errors.New("no certificate authority")
	case len(k.CAData) > 0 && k.CAFile != "", len(k.CertData) > 0 && k.CertFile != "", len(k.KeyData) > 0 && k.KeyFile != "":
		return errors.New("the same thing both as data and as a file")
	case certificate != key:
		return errors.New("a client certificate and its key go together")
	case certificate == (k.TokenFile != ""):
		return errors.New("the client needs a certificate or a token file, and not both")
	}
	for _, file := range []string{k.CAFile, k.CertFile, k.KeyFile, k.TokenFile} {
		if file != "" && !filepath.IsAbs(file) {
			return fmt.Errorf("%s is not an absolute path", file)
		}
	}
	return nil
}
