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

// A node with Tracing has its programs send spans to 127.0.0.1:4317: there is Jaeger, whose Pod is on the node's network, as they are.
// Spans that are made before it is there are lost. kube-apiserver and etcd sample nothing by themselves, and follow the callers
// that may decide; kubelet and containerd have no caller, and sample few of their own.
const (
	jaegerEndpoint = "127.0.0.1:4317"
	// kubeletSampling is of a million: of the dozens of traces a second that the kubelet begins, which only look at Pods, all
	// would push those of operators out of Jaeger's memory.
	kubeletSampling = "10000"
	// containerdSampling is the same as a fraction. It is of what containerd begins; it follows the kubelet in what that asks for.
	containerdSampling = "0.01"
	// sendSoon makes OpenTelemetry's SDK send spans after 200 ms, as the operator does, and not after 5 s.
	sendSoon = "200"
)

// tracingFolder is where the node has [tracingFiles].
const tracingFolder = "/kind/tracing"

// The files that programs of the node want. That for containerd is known to the init of a node built from source, too.
const (
	apiServerTracing  = "apiserver.yaml"
	containerdTracing = "containerd.env"
	containerdUnit    = "containerd.conf"
)

// tracingFiles are the content of those files, by name. A node without Tracing has none.
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

// writeTracingFiles writes these files to the sandbox's folder. Those that are there keep their place: a node that runs may have them
// mounted.
func writeTracingFiles(node Node, dir state.Dir) error {
	files := tracingFiles(node)
	if len(files) == 0 {
		return nil
	}
	if err := os.MkdirAll(dir.Tracing(), 0o755); err != nil {
		return fmt.Errorf("making a folder for files of the node: %w", state.Remedy(err))
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(filepath.Join(dir.Tracing(), name), []byte(files[name]), 0o644); err != nil {
			return fmt.Errorf("writing a file of the node: %w", state.Remedy(err))
		}
	}
	return nil
}

// tracingMounts bring these files into the node, and in kind's own image one of them to systemd, which starts containerd there.
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

// controlPlaneTracingPatch adds to the arguments that kind and other patches give: kind merges such lists by name.
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
