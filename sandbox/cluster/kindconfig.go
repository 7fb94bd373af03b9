package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/yaml"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// ownerPath is where the node has the file that tells whose it is. kind can't set labels on a node, but a mount shows
// in the engine's description even of a node that is stopped.
const ownerPath = "/kind/sandbox-owner"

// schedulerPath is where the node has the scheduler's configuration.
const schedulerPath = "/kind/sandbox-scheduler.yaml"

// schedulerConfig has the scheduler fill its caches only once it is the leader, which it can be as soon as the API server has
// its RBAC rules. Without it, the scheduler of a new cluster asks as soon as the API server answers, is told that it may not, and
// asks again some three seconds later, for which all Pods wait.
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

// Node is what the cluster's one node runs.
type Node struct {
	// Image is the node image's name in the engine.
	Image string
	// Source says that the image was built by the sandbox: it has its own network plugin and no systemd.
	Source bool
	// EtcdTag and CoreDNSTag are the tags of those images in a node built from source.
	EtcdTag, CoreDNSTag string
	// Tracing has the node's programs send spans to the Jaeger that runs on its network, see tracing.go.
	Tracing bool
}

// kindConfig is the configuration that kind makes the cluster from. Settings for a node built from source must not
// reach kind's own image, which has systemd and kindnet.
func kindConfig(name string, node Node, host Host, ports component.Ports, dir state.Dir) *v1alpha4.Cluster {
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
		KubeadmConfigPatches: []string{etcdPatch(node), controllersPatch, schedulerPatch, keysPatch},
	}
	if node.Source {
		config.Networking.DisableDefaultCNI = true
		config.Networking.KubeProxyMode = v1alpha4.NFTablesProxyMode
		config.KubeadmConfigPatches = append(config.KubeadmConfigPatches, dnsPatch(node), "kind: KubeletConfiguration\ncgroupDriver: cgroupfs\n")
	}
	if !host.CgroupV2 {
		// The kubelet refuses cgroup v1 since 1.35 unless it is told otherwise (KEP-5573).
		config.KubeadmConfigPatches = append(config.KubeadmConfigPatches, "kind: KubeletConfiguration\nfailCgroupV1: false\n")
	}
	if node.Tracing {
		config.Nodes[0].ExtraMounts = append(config.Nodes[0].ExtraMounts, tracingMounts(node, dir)...)
		config.KubeadmConfigPatches = append(config.KubeadmConfigPatches, controlPlaneTracingPatch, kubeletTracingPatch)
	}
	return config
}

// portMappings lead from 127.0.0.1 to components that listen on the node's own ports.
func portMappings(ports component.Ports) []v1alpha4.PortMapping {
	var mappings []v1alpha4.PortMapping
	for _, p := range component.AllPorts() {
		mappings = append(mappings, v1alpha4.PortMapping{
			ContainerPort: int32(p.Number), HostPort: int32(ports[p.Name]), ListenAddress: "127.0.0.1", Protocol: v1alpha4.PortMappingProtocolTCP,
		})
	}
	return mappings
}

// controllersPatch lets the controllers write as fast as the API server takes it: at their default of 20 requests a second, many
// Deployments at once wait for nothing else. The one manager asks for its lease more often than every
// two seconds, because all Pods of a new cluster wait for it. (Without a lease it would give up where the API server isn't ready
// within ten seconds, and be started again only after twenty.)
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

// keysPatch spares the second that kubeadm takes for a dozen RSA keys.
const keysPatch = "kind: ClusterConfiguration\nencryptionAlgorithm: ECDSA-P256\n"

// etcdPatch lets etcd leave its writes to the page cache: a sandbox that loses power is made anew.
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

// hashConfig tells two configurations apart, those files included that the node has by them.
func hashConfig(config *v1alpha4.Cluster, node Node) (string, error) {
	data, err := yaml.Marshal(config)
	if err != nil {
		return "", fmt.Errorf("hashing kind's configuration: %w", err)
	}
	if files := tracingFiles(node); len(files) > 0 {
		data = fmt.Append(data, files) // Printed in the order of their names.
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])[:16], nil
}

// KindConfig is the YAML that `kind create cluster --config` would make the same node from, with ports that kind chooses,
// without the mark of a sandbox, and with the scheduler as it is by default: for both, the node has files of the state folder. So
// it has where it is one with Tracing: these files are written there.
func KindConfig(name string, node Node, host Host, dir state.Dir) (string, error) {
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
		return "", fmt.Errorf("printing kind's configuration: %w", err)
	}
	return string(data), nil
}
