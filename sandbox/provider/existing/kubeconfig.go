package existing

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/operator-tracing/sandbox/sandbox/file"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/suggest"
)

// Source is one context of a user's kubeconfig, with all data that it needs.
type Source struct {
	// Context is the name of the context, Server the address of its API server.
	Context, Server string

	config *clientcmdapi.Config
}

// ErrNoContext means that the kubeconfig has no context of this name.
var ErrNoContext = errors.New("no such context")

// Find reads a context from the kubeconfig at path. If path is empty, it uses the files of kubectl:
// the files in KUBECONFIG, or the file in the home folder of the user. The error wraps ErrNoContext
// if there is no context of this name.
func Find(path, context string) (Source, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if path != "" {
		rules.ExplicitPath = path // Load fails if the file does not exist.
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
			return Source{}, fmt.Errorf("finding context %q: %w: file %s does not exist; set KUBECONFIG or --kubeconfig", context, ErrNoContext, where)
		}
		if len(names) == 0 {
			return Source{}, fmt.Errorf("finding context %q: %w: the kubeconfig %s has no contexts; set --kubeconfig", context, ErrNoContext, where)
		}
		return Source{}, fmt.Errorf("finding context %q in %s: %w%s; want one of %s", context, where, ErrNoContext, suggest.Hint(context, names), strings.Join(names, ", "))
	}
	cluster := loaded.Clusters[found.Cluster]
	if cluster == nil || cluster.Server == "" {
		return Source{}, fmt.Errorf("reading context %s of the kubeconfig %s: cluster %q has no server", context, where, found.Cluster)
	}
	loaded.CurrentContext = context
	if err := clientcmdapi.MinifyConfig(loaded); err != nil {
		return Source{}, fmt.Errorf("reading context %s of the kubeconfig %s: %w", context, where, err)
	}
	if err := clientcmdapi.FlattenConfig(loaded); err != nil {
		return Source{}, fmt.Errorf("reading the files of context %s in the kubeconfig %s: %w", context, where, err)
	}
	return Source{Context: context, Server: cluster.Server, config: loaded}, nil
}

// Copy writes only the context to a file with access only for its owner. It does not rewrite a file
// with equal content.
func (s Source) Copy(path string) error {
	data, err := clientcmd.Write(*s.config)
	if err != nil {
		return fmt.Errorf("copying the kubeconfig: %w", err)
	}
	if old, err := os.ReadFile(path); err == nil && string(old) == string(data) {
		return nil
	}
	if err := file.Write(path, data, 0o600); err != nil {
		return fmt.Errorf("copying the kubeconfig: %w", err)
	}
	return nil
}

// RESTConfig returns the configuration of the user in the copy of the context.
func (c *Cluster) RESTConfig() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.session.Dir.Kubeconfig())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the kubeconfig of the sandbox: %w; run %s to write it again", err, hint.Run("up", "--cluster=existing", "--context=NAME"))
	}
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of the sandbox: %w", err)
	}
	config.QPS, config.Burst = 200, 400 // One client installs all components.
	return config, nil
}

func isFile(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
