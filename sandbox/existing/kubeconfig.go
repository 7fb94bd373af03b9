package existing

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/operator-tracing/sandbox/sandbox/near"
)

// Source is one context of a user's kubeconfig, whole in itself.
type Source struct {
	// Context is its name, Server the address of its API server.
	Context, Server string

	config *clientcmdapi.Config
}

// ErrNoContext says that the kubeconfig has no context of that name.
var ErrNoContext = errors.New("there is no such context")

// Find reads a context from the kubeconfig at path, or for "" from where kubectl would: KUBECONFIG's files, or the one in the
// user's home. The error is an ErrNoContext where it has none of that name.
func Find(path, context string) (Source, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if path != "" {
		rules.ExplicitPath = path // Without such a file, Load fails.
	}
	where := strings.Join(rules.GetLoadingPrecedence(), ", ")
	if path != "" {
		where = path
	}
	loaded, err := rules.Load()
	if err != nil {
		return Source{}, fmt.Errorf("reading the kubeconfig %s: %w", where, err)
	}
	found, has := loaded.Contexts[context]
	if !has {
		names := slices.Sorted(maps.Keys(loaded.Contexts))
		if !slices.ContainsFunc(rules.GetLoadingPrecedence(), isFile) {
			return Source{}, fmt.Errorf("finding context %q: %w: there is no file %s; name another by KUBECONFIG or --kubeconfig", context, ErrNoContext, where)
		}
		if len(names) == 0 {
			return Source{}, fmt.Errorf("finding context %q: %w: the kubeconfig %s has none; name another by --kubeconfig", context, ErrNoContext, where)
		}
		return Source{}, fmt.Errorf("finding context %q in %s: %w%s; there is %s", context, where, ErrNoContext, near.Hint(context, names), strings.Join(names, ", "))
	}
	cluster := loaded.Clusters[found.Cluster]
	if cluster == nil || cluster.Server == "" {
		return Source{}, fmt.Errorf("reading context %s of the kubeconfig %s: its cluster %q has no server", context, where, found.Cluster)
	}
	loaded.CurrentContext = context
	if err := clientcmdapi.MinifyConfig(loaded); err != nil {
		return Source{}, fmt.Errorf("reading context %s of the kubeconfig %s: %w", context, where, err)
	}
	if err := clientcmdapi.FlattenConfig(loaded); err != nil {
		return Source{}, fmt.Errorf("reading the files that context %s of the kubeconfig %s names: %w", context, where, err)
	}
	return Source{Context: context, Server: cluster.Server, config: loaded}, nil
}

// Copy writes the context, and nothing else, to a file that only its owner may read. A file that says the same stays as it is.
func (s Source) Copy(path string) error {
	data, err := clientcmd.Write(*s.config)
	if err != nil {
		return fmt.Errorf("copying the kubeconfig: %w", err)
	}
	if old, err := os.ReadFile(path); err == nil && string(old) == string(data) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("copying the kubeconfig: %w", err)
	}
	// Written beside it first: a reader sees the old one or the new one, whole.
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return fmt.Errorf("copying the kubeconfig: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("copying the kubeconfig: %w", err)
	}
	return nil
}

// RESTConfig is the way to the API server that a copy leads to.
func RESTConfig(path string) (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the sandbox's kubeconfig: %w; `sandbox up --cluster=existing --context=NAME` writes it again", err)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the sandbox's kubeconfig: %w", err)
	}
	config.QPS, config.Burst = 200, 400 // One client installs everything.
	return config, nil
}

func isFile(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
