package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"

	"github.com/cert-manager/cert-manager/internal/kube"
)

const (
	apiServerPoll = 200 * time.Millisecond
	apiServerWait = time.Minute
)

// awaitAPIServer waits until the API server responds, for at most a minute. When a node starts, its
// pods start before kube-proxy has made Services reachable. If a program exited at that point, the
// kubelet would restart it only after a back-off of ten seconds or more.
func awaitAPIServer(ctx context.Context, host, kubeconfig string) error {
	config, err := kube.BuildClientConfig(host, kubeconfig)
	if err != nil {
		return fmt.Errorf("building the client configuration: %w", err)
	}
	config.Timeout = 5 * time.Second
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return fmt.Errorf("creating the discovery client: %w", err)
	}
	var last error
	err = wait.PollUntilContextTimeout(ctx, apiServerPoll, apiServerWait, true, func(context.Context) (bool, error) {
		_, last = client.ServerVersion()
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the API server: %w: %w", err, last)
	}
	return nil
}
