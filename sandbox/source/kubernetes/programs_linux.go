package main

import (
	"context"

	"k8s.io/component-base/cli"
	kubeproxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	kubeadmapp "k8s.io/kubernetes/cmd/kubeadm/app"
	kubeadmerrors "k8s.io/kubernetes/cmd/kubeadm/app/util/errors"
	kubeletapp "k8s.io/kubernetes/cmd/kubelet/app"
)

func init() {
	programs["kube-proxy"] = kubeProxy
	programs["kubeadm"] = kubeadm
	programs["kubelet"] = kubelet
}

func kubeProxy() int { return cli.Run(kubeproxy.NewProxyCommand()) }

func kubeadm() int {
	kubeadmerrors.HandleError(kubeadmapp.Run())
	return 0
}

// kubelet passes a plain context. NewKubeletCommand handles signals itself, and a second call of
// SetupSignalContext panics with "close of closed channel".
func kubelet() int { return cli.Run(kubeletapp.NewKubeletCommand(context.Background())) }
