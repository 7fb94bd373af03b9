package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/yaml"

	"github.com/operator-tracing/sandbox/sandbox/state"
)

// ownerPath is where the node has the file that tells whose it is. kind can't set labels on a node, but a mount shows
// in the engine's description even of a node that is stopped.
const ownerPath = "/kind/sandbox-owner"

// Node is what the cluster's one node runs.
type Node struct {
	// Image is the node image's name in the engine.
	Image string
	// Source says that the image was built by the sandbox: it has its own network plugin and no systemd.
	Source bool
	// EtcdTag and CoreDNSTag are the tags of those images in a node built from source.
	EtcdTag, CoreDNSTag string
}

// kindConfig is the configuration that kind makes the cluster from. Settings for a node built from source must not
// reach kind's own image, which has systemd and kindnet.
func kindConfig(name string, node Node, host Host, ports state.Ports, owner string) *v1alpha4.Cluster {
	config := &v1alpha4.Cluster{
		TypeMeta: v1alpha4.TypeMeta{Kind: "Cluster", APIVersion: "kind.x-k8s.io/v1alpha4"},
		Name:     name,
		Nodes: []v1alpha4.Node{{
			Role:              v1alpha4.ControlPlaneRole,
			Image:             node.Image,
			ExtraMounts:       []v1alpha4.Mount{{HostPath: owner, ContainerPath: ownerPath, Readonly: true}},
			ExtraPortMappings: portMappings(ports),
		}},
		KubeadmConfigPatches: []string{etcdPatch(node), controllersPatch},
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
	return config
}

// portMappings lead from 127.0.0.1 to Jaeger, which listens on the node's own ports (config/jaeger).
func portMappings(ports state.Ports) []v1alpha4.PortMapping {
	var mappings []v1alpha4.PortMapping
	for _, p := range []struct{ container, host int }{
		{16686, ports.UI}, {16685, ports.Query}, {4317, ports.OTLPGRPC}, {4318, ports.OTLPHTTP}, {14268, ports.Thrift},
	} {
		mappings = append(mappings, v1alpha4.PortMapping{
			ContainerPort: int32(p.container), HostPort: int32(p.host), ListenAddress: "127.0.0.1", Protocol: v1alpha4.PortMappingProtocolTCP,
		})
	}
	return mappings
}

// controllersPatch lets the controllers write as fast as the API server takes it: at their default of 20 requests a second, many
// Deployments at once wait for nothing else.
const controllersPatch = `kind: ClusterConfiguration
controllerManager:
  extraArgs:
  - name: kube-api-qps
    value: "200"
  - name: kube-api-burst
    value: "400"
`

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

// hashConfig tells two configurations apart.
func hashConfig(config *v1alpha4.Cluster) (string, error) {
	data, err := yaml.Marshal(config)
	if err != nil {
		return "", fmt.Errorf("hashing kind's configuration: %w", err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])[:16], nil
}

// KindConfig is the YAML that `kind create cluster --config` would make the same node from, with ports that kind chooses
// and without the mark of a sandbox.
func KindConfig(name string, node Node, host Host) (string, error) {
	config := kindConfig(name, node, host, state.Ports{}, "")
	config.Nodes[0].ExtraMounts = nil
	config.Nodes[0].ExtraPortMappings = nil
	data, err := yaml.Marshal(config)
	if err != nil {
		return "", fmt.Errorf("printing kind's configuration: %w", err)
	}
	return string(data), nil
}
