package component

import "sigs.k8s.io/kind/pkg/apis/config/defaults"

// ControlPlane is the API server and the programs that it needs. kubeadm runs it as static Pods in
// kind's node, whose image is the component's.
const ControlPlane = "control plane"

// Programs of the control plane.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
)

// Ports of the control plane on an embedded cluster.
const (
	EtcdPort      = "etcd"
	EtcdPeerPort  = "etcdPeer"
	APIServerPort = "apiServer"
)

var controlPlane = Component{
	Name: ControlPlane, Images: []string{defaults.Image}, Clusters: []string{Kind, Embedded},
	Programs: []Program{
		{Name: Etcd, System: true, Labels: map[string]string{"component": Etcd}, Stop: 3, Listens: []Listener{{Name: EtcdPort}, {Name: EtcdPeerPort}}},
		{Name: APIServer, System: true, Labels: map[string]string{"component": APIServer}, Stop: 2, Listens: []Listener{{Name: APIServerPort}}},
		{Name: ControllerManager, System: true, Labels: map[string]string{"component": ControllerManager}, Stop: 1},
		{Name: Scheduler, System: true, Labels: map[string]string{"component": Scheduler}, Stop: 1},
		{Name: "kube-proxy", System: true, Labels: map[string]string{"k8s-app": "kube-proxy"}, Addon: true},
		{Name: "coredns", System: true, Labels: map[string]string{"k8s-app": "kube-dns"}, Addon: true},
	},
}
