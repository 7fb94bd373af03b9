package cluster

import (
	"fmt"
	"slices"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/yaml"

	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/engine"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// ownerPath is the path in the node of the file that identifies its sandbox. kind cannot set labels
// on a node, but the engine lists the mounts of a node even if it is stopped.
const ownerPath = "/kind/sandbox-owner"

// schedulerPath is the path of the scheduler's configuration in the node.
const schedulerPath = "/kind/sandbox-scheduler.yaml"

// schedulerConfig makes the scheduler fill its caches only when it is the leader, after the API
// server has its RBAC rules. Without this setting, the first requests of the scheduler in a new
// cluster are forbidden. It retries after about three seconds, and all Pods wait for it.
const schedulerConfig = `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
clientConnection:
  kubeconfig: /etc/kubernetes/scheduler.conf
delayCacheUntilActive: true
leaderElection:
  leaderElect: true
  retryPeriod: 500ms
`

const schedulerPatch = `kind: ClusterConfiguration
scheduler:
  extraArgs:
  - name: config
    value: ` + schedulerPath + `
  extraVolumes:
  - name: sandbox-scheduler
    hostPath: ` + schedulerPath + `
    mountPath: ` + schedulerPath + `
    readOnly: true
    pathType: File
`

// Node describes the only node of the cluster.
type Node struct {
	// Image is the name of the node image in the engine.
	Image string
	// Source is true if the sandbox built the image. Such an image has its own network plugin and
	// no systemd.
	Source bool
	// EtcdTag and CoreDNSTag are the tags of those images in a node built from source.
	EtcdTag, CoreDNSTag string
	// Tracing makes the programs of the node send spans to the Jaeger on its network; see
	// tracing.go.
	Tracing bool
}

// kindConfig returns the configuration from which kind creates the cluster. Settings for a node
// built from source must not apply to kind's own image, which has systemd and kindnet.
func kindConfig(name string, node Node, host engine.Host, ports component.Ports, dir state.Dir) *v1alpha4.Cluster {
	config := &v1alpha4.Cluster{
		TypeMeta: v1alpha4.TypeMeta{Kind: "Cluster", APIVersion: "kind.x-k8s.io/v1alpha4"},
		Name:     name,
		Nodes: []v1alpha4.Node{{
			Role:  v1alpha4.ControlPlaneRole,
			Image: node.Image,
			ExtraMounts: []v1alpha4.Mount{
				{HostPath: dir.Owner(), ContainerPath: ownerPath, Readonly: true},
				{HostPath: dir.Scheduler(), ContainerPath: schedulerPath, Readonly: true},
			},
			ExtraPortMappings: portMappings(ports),
		}},
		KubeadmConfigPatches: []string{etcdPatch(node), controllersPatch, schedulerPatch, keysPatch, podsPatch},
	}
	if node.Source {
		config.Networking.DisableDefaultCNI = true
		config.Networking.KubeProxyMode = v1alpha4.NFTablesProxyMode
		config.KubeadmConfigPatches = append(config.KubeadmConfigPatches, dnsPatch(node), "kind: KubeletConfiguration\ncgroupDriver: cgroupfs\n")
	}
	if !host.CgroupV2 {
		// Since 1.35 the kubelet rejects cgroup v1 by default (KEP-5573).
		config.KubeadmConfigPatches = append(config.KubeadmConfigPatches, "kind: KubeletConfiguration\nfailCgroupV1: false\n")
	}
	if node.Tracing {
		config.Nodes[0].ExtraMounts = append(config.Nodes[0].ExtraMounts, tracingMounts(node, dir)...)
		config.KubeadmConfigPatches = append(config.KubeadmConfigPatches, controlPlaneTracingPatch, kubeletTracingPatch)
	}
	return config
}

// portMappings maps ports of 127.0.0.1 to components that listen on ports of the node.
func portMappings(ports component.Ports) []v1alpha4.PortMapping {
	var mappings []v1alpha4.PortMapping
	for _, p := range component.AllPorts() {
		mappings = append(mappings, v1alpha4.PortMapping{
			ContainerPort: int32(p.Number), HostPort: int32(ports[p.Name]), ListenAddress: "127.0.0.1", Protocol: v1alpha4.PortMappingProtocolTCP,
		})
	}
	return mappings
}

// controllersPatch raises the rate limit of the controllers: with the default of 20 requests per
// second, many concurrent Deployments wait only for this limit. The controller manager also tries
// to acquire its lease more often than every two seconds, because all Pods of a new cluster wait
// for it. Without leader election it would exit if the API server is not ready within ten seconds,
// and restart only after twenty.
const controllersPatch = `kind: ClusterConfiguration
controllerManager:
  extraArgs:
  - name: kube-api-qps
    value: "200"
  - name: kube-api-burst
    value: "400"
  - name: leader-elect-retry-period
    value: 500ms
`

// podsPatch raises the kubelet's limit of 110 Pods.
var podsPatch = fmt.Sprintf("kind: KubeletConfiguration\nmaxPods: %d\n", engine.MaxPods)

// keysPatch saves the second that kubeadm needs for a dozen RSA keys.
const keysPatch = "kind: ClusterConfiguration\nencryptionAlgorithm: ECDSA-P256\n"

// etcdPatch disables fsync in etcd: after a power loss, a sandbox is created again.
func etcdPatch(node Node) string {
	patch := "kind: ClusterConfiguration\netcd:\n  local:\n"
	if node.Source {
		patch += "    imageTag: " + node.EtcdTag + "\n"
	}
	return patch + "    extraArgs:\n    - name: unsafe-no-fsync\n      value: \"true\"\n"
}

func dnsPatch(node Node) string {
	return "kind: ClusterConfiguration\ndns:\n  imageTag: " + node.CoreDNSTag + "\n"
}

func hashConfig(config *v1alpha4.Cluster, node Node) (string, error) {
	data, err := yaml.Marshal(config)
	if err != nil {
		return "", fmt.Errorf("hashing kind's configuration: %w", err)
	}
	if files := tracingFiles(node); len(files) > 0 {
		data = fmt.Append(data, files) // fmt prints maps in the order of their keys.
	}
	return cache.Key(data), nil
}

// KindConfig returns the YAML with which `kind create cluster --config` creates the same node. kind
// chooses the ports. The owner file and the scheduler's configuration are omitted, because they are
// files of the state folder. For a node with Tracing, KindConfig writes the tracing files to the
// state folder, which the configuration mounts.
func KindConfig(name string, node Node, host engine.Host, dir state.Dir) (string, error) {
	if err := writeTracingFiles(node, dir); err != nil {
		return "", err
	}
	config := kindConfig(name, node, host, component.Ports{}, dir)
	config.Nodes[0].ExtraMounts = slices.DeleteFunc(config.Nodes[0].ExtraMounts, func(m v1alpha4.Mount) bool {
		return m.ContainerPath == ownerPath || m.ContainerPath == schedulerPath
	})
	config.KubeadmConfigPatches = slices.DeleteFunc(config.KubeadmConfigPatches, func(patch string) bool { return patch == schedulerPatch })
	config.Nodes[0].ExtraPortMappings = nil
	data, err := yaml.Marshal(config)
	if err != nil {
		return "", fmt.Errorf("formatting kind's configuration: %w", err)
	}
	return string(data), nil
}
