package cluster

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"

	"github.com/operator-tracing/sandbox/sandbox/state"
)

// In a node with Tracing, programs send spans to Jaeger at 127.0.0.1:4317: its Pod uses the network
// of the node, like these programs. Spans that end before Jaeger runs are lost. kube-apiserver and
// etcd start no traces of their own and follow the sampling of trusted callers. kubelet and
// containerd have no caller, and sample few of their own traces.
const (
	jaegerEndpoint = "127.0.0.1:4317"
	// kubeletSampling is the number of sampled traces per million. The kubelet starts dozens of
	// traces per second that only inspect Pods. Together they would displace the traces of
	// operators from Jaeger's memory.
	kubeletSampling = "10000"
	// containerdSampling is the same rate as a fraction, for the traces that containerd starts. For
	// calls it follows the kubelet.
	containerdSampling = "0.01"
	// sendSoon makes the OpenTelemetry SDK export spans every 200 ms, like the operator, instead of
	// every 5 s.
	sendSoon = "200"
)

// tracingFolder is the folder of [tracingFiles] in the node.
const tracingFolder = "/kind/tracing"

// The files for programs of the node. The init of a node built from source also uses the file for
// containerd.
const (
	apiServerTracing  = "apiserver.yaml"
	containerdTracing = "containerd.env"
	containerdUnit    = "containerd.conf"
)

// tracingFiles returns the content of the files by name. It returns nil for a node without Tracing.
func tracingFiles(node Node) map[string]string {
	if !node.Tracing {
		return nil
	}
	files := map[string]string{
		apiServerTracing: "apiVersion: apiserver.config.k8s.io/v1\nkind: TracingConfiguration\n" +
			"endpoint: " + jaegerEndpoint + "\nsamplingRatePerMillion: 0\n",
		containerdTracing: "OTEL_EXPORTER_OTLP_ENDPOINT=http://" + jaegerEndpoint + "\nOTEL_EXPORTER_OTLP_PROTOCOL=grpc\n" +
			"OTEL_TRACES_SAMPLER=parentbased_traceidratio\nOTEL_TRACES_SAMPLER_ARG=" + containerdSampling + "\n" +
			"OTEL_BSP_SCHEDULE_DELAY=" + sendSoon + "\n",
	}
	if !node.Source {
		files[containerdUnit] = "[Service]\nEnvironmentFile=" + tracingFolder + "/" + containerdTracing + "\n"
	}
	return files
}

// writeTracingFiles writes the files to the folder of the sandbox. It overwrites existing files in
// place, because a running node may have mounted them.
func writeTracingFiles(node Node, dir state.Dir) error {
	files := tracingFiles(node)
	if len(files) == 0 {
		return nil
	}
	if err := os.MkdirAll(dir.Tracing(), 0o755); err != nil {
		return fmt.Errorf("creating the folder for files of the node: %w", state.Remedy(err))
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(filepath.Join(dir.Tracing(), name), []byte(files[name]), 0o644); err != nil {
			return fmt.Errorf("writing a file of the node: %w", state.Remedy(err))
		}
	}
	return nil
}

// tracingMounts returns the mounts of the files into the node. In kind's own image, one of them
// configures systemd, which starts containerd.
func tracingMounts(node Node, dir state.Dir) []v1alpha4.Mount {
	mounts := []v1alpha4.Mount{{HostPath: dir.Tracing(), ContainerPath: tracingFolder, Readonly: true}}
	if !node.Source {
		mounts = append(mounts, v1alpha4.Mount{
			HostPath:      filepath.Join(dir.Tracing(), containerdUnit),
			ContainerPath: "/etc/systemd/system/containerd.service.d/20-sandbox-tracing.conf", Readonly: true,
		})
	}
	return mounts
}

// controlPlaneTracingPatch adds arguments to the lists of kind and of other patches: kind merges
// such lists by name.
const controlPlaneTracingPatch = `kind: ClusterConfiguration
apiServer:
  extraArgs:
  - name: tracing-config-file
    value: ` + tracingFolder + "/" + apiServerTracing + `
  extraEnvs:
  - name: OTEL_BSP_SCHEDULE_DELAY
    value: "` + sendSoon + `"
  extraVolumes:
  - name: tracing
    hostPath: ` + tracingFolder + `
    mountPath: ` + tracingFolder + `
    pathType: Directory
    readOnly: true
etcd:
  local:
    extraArgs:
    - name: enable-distributed-tracing
      value: "true"
    - name: distributed-tracing-address
      value: ` + jaegerEndpoint + `
    - name: distributed-tracing-service-name
      value: etcd
    - name: distributed-tracing-sampling-rate
      value: "0"
    extraEnvs:
    - name: OTEL_BSP_SCHEDULE_DELAY
      value: "` + sendSoon + `"
`

const kubeletTracingPatch = `kind: KubeletConfiguration
tracing:
  endpoint: ` + jaegerEndpoint + `
  samplingRatePerMillion: ` + kubeletSampling + `
`
