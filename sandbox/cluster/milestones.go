package cluster

import (
	"context"
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/operator-tracing/sandbox/sandbox/poll"
)

// milestone is a stage of the start for which other steps wait.
type milestone struct {
	reached chan struct{}
	reach   func() // It can be called several times.
}

func newMilestone() milestone {
	reached := make(chan struct{})
	return milestone{reached, sync.OnceFunc(func() { close(reached) })}
}

func (m milestone) await(ctx context.Context) error {
	select {
	case <-m.reached:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// AwaitNode waits until images can be imported into the node. For a new node this is before its API
// server runs.
func (c *Cluster) AwaitNode(ctx context.Context, _ func(string, ...any)) error {
	return c.nodeRuns.await(ctx)
}

// AwaitAPIServer waits until the API server accepts requests of the administrator and
// [Cluster.RESTConfig] returns its configuration. For a new cluster this is before the cluster is
// complete.
func (c *Cluster) AwaitAPIServer(ctx context.Context, _ func(string, ...any)) error {
	return c.apiServes.await(ctx)
}

// watch polls the progress of a cluster that kind creates, until both milestones are reached or ctx
// ends. kind does not report this progress, and continues for a long time after the API server
// accepts requests.
func (c *Cluster) watch(ctx context.Context) {
	if c.await(ctx, containerdSocket) != nil || poll.Within(ctx, pollEvery, createTimeout, c.runtimeAnswers) != nil {
		return
	}
	c.nodeRuns.reach()
	var config *rest.Config
	if c.await(ctx, adminConfig) != nil || poll.Within(ctx, pollEvery, createTimeout, func(context.Context) (err error) {
		config, err = c.administrator() // kubeadm may still write the file.
		return err
	}) != nil {
		return
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return // kind returns the same error for the kubeconfig that it writes.
	}
	if poll.Within(ctx, pollEvery, createTimeout, func(ctx context.Context) error {
		_, err := client.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
		return err
	}) != nil {
		return
	}
	c.early.Store(config)
	c.apiServes.reach()
}

// Files of the node that a new cluster waits for.
const (
	containerdSocket = "/run/containerd/containerd.sock"
	adminConfig      = "/etc/kubernetes/admin.conf"
)

// await waits until the node exists and has a file. The node's shell polls, because each command of
// the engine takes a quarter of a second of a processor, which the new cluster needs. The shell ends
// with the node, or after createTimeout.
func (c *Cluster) await(ctx context.Context, path string) error {
	script := fmt.Sprintf("for i in $(seq %d); do [ -e %s ] && exit; sleep 0.1; done; exit 1", createTimeout/pollEvery, path)
	return poll.Within(ctx, nodePoll, createTimeout, func(ctx context.Context) error {
		_, err := c.engine.Run(ctx, createTimeout, nil, "exec", c.node(), "sh", "-c", script)
		return err
	})
}

// administrator reads the credentials of the administrator from the node. kubeadm writes them
// before the API server starts and before the administrator has permissions.
func (c *Cluster) administrator() (*rest.Config, error) {
	text, err := c.provider.KubeConfig(c.name, false)
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(text))
	if err != nil {
		return nil, err
	}
	return withRates(config), nil
}
