package cluster

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// milestones are the callbacks for the progress of a new cluster. Each function is called once.
type milestones struct{ node, api func() }

func (s Spec) milestones() milestones {
	once := func(f func()) func() {
		if f == nil {
			return func() {}
		}
		return sync.OnceFunc(f)
	}
	return milestones{once(s.OnNode), once(s.OnAPIServer)}
}

// all calls both functions.
func (m milestones) all() {
	m.node()
	m.api()
}

// watch polls the progress of a cluster that kind creates, until both milestones are reached or ctx
// ends. kind does not report this progress, and continues for a long time after the API server
// accepts requests.
func (c *Cluster) watch(ctx context.Context, m milestones) {
	if !poll(ctx, func() bool {
		_, err := c.engine.Run(ctx, execTimeout, nil, "exec", c.node(), "ctr", "version")
		return err == nil
	}) {
		return
	}
	m.node()
	var config *rest.Config
	if !poll(ctx, func() bool {
		var err error
		config, err = c.administrator()
		return err == nil
	}) {
		return
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return // kind returns the same error for the kubeconfig that it writes.
	}
	if !poll(ctx, func() bool {
		_, err := client.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
		return err == nil
	}) {
		return
	}
	c.early.Store(config)
	m.api()
}

// poll calls done until it returns true. It returns false if ctx ends first.
func poll(ctx context.Context, done func() bool) bool {
	for !done() {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pollEvery):
		}
	}
	return ctx.Err() == nil
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
