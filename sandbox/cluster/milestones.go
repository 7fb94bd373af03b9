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

// milestones is who wants to know how far the making of a cluster has come. Each function is called once.
type milestones struct{ node, api func() }

func (w Wanted) milestones() milestones {
	once := func(f func()) func() {
		if f == nil {
			return func() {}
		}
		return sync.OnceFunc(f)
	}
	return milestones{once(w.OnNode), once(w.OnAPIServer)}
}

// all says that the cluster is there.
func (m milestones) all() {
	m.node()
	m.api()
}

// watch looks how far kind has come with a cluster, which kind itself does not say, until both milestones are reached or ctx ends.
// kind creates objects that matter to it only, and waits for others, long after the API server takes requests.
func (c *Cluster) watch(ctx context.Context, m milestones) {
	if !poll(ctx, func() bool {
		_, err := c.engine.run(ctx, execTimeout, nil, "exec", c.node(), "ctr", "version")
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
		return // kind will say it of the kubeconfig that it writes.
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

// poll asks until the answer is true, and says false where ctx ended first.
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

// administrator reads the administrator's credentials out of the node. kubeadm writes them before there is an API server, and that
// has to learn what an administrator may.
func (c *Cluster) administrator() (*rest.Config, error) {
	text, err := c.provider.KubeConfig(c.name, false)
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(text))
	if err != nil {
		return nil, err
	}
	return hurried(config), nil
}
