package embedded

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/credentials"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// sendSoon makes OpenTelemetry's SDK send spans after 200 ms, as the operator does, and not after 5 s.
const sendSoon = "OTEL_BSP_SCHEDULE_DELAY=200"

// traceAPIServer has the API server send spans. At a sampling rate of 0 only those requests are traced whose callers may say
// so, and do: of every request, they would push all others out of Jaeger's memory.
func (c *Cluster) traceAPIServer(spec *process.Spec) error {
	if !c.Tracing {
		return nil
	}
	folder, err := c.folder(component.APIServer)
	if err != nil {
		return err
	}
	_, jaeger := c.ports()
	path := filepath.Join(folder, "tracing.yaml")
	content := "apiVersion: apiserver.config.k8s.io/v1\nkind: TracingConfiguration\n" +
		"endpoint: " + address(jaeger[component.OTLPGRPC]) + "\nsamplingRatePerMillion: 0\n"
	spec.Args = append(spec.Args, "--tracing-config-file="+path)
	spec.Env = append(spec.Env, sendSoon)
	spec.Revision += hash([]byte(content))
	return write(path, content)
}

// traceEtcd does the same with etcd, whose one caller is the API server.
func (c *Cluster) traceEtcd(spec *process.Spec) {
	if !c.Tracing {
		return
	}
	_, jaeger := c.ports()
	spec.Args = append(spec.Args, "--enable-distributed-tracing", "--distributed-tracing-address="+address(jaeger[component.OTLPGRPC]),
		"--distributed-tracing-service-name=etcd", "--distributed-tracing-sampling-rate=0")
	spec.Env = append(spec.Env, sendSoon)
}

// tracedAccountSpec is accountSpec by a certificate instead of a token: the same user in the same groups, and in
// system:monitoring beside them, for only by a certificate one can be in that.
func (c *Cluster) tracedAccountSpec(ctx context.Context, name, namespace, account, program string, args ...string) (process.Spec, error) {
	folder, err := c.folder(name)
	if err != nil {
		return process.Spec{}, err
	}
	config, err := c.RESTConfig()
	if err != nil {
		return process.Spec{}, err
	}
	issuer, err := credentials.NewIssuer(config)
	if err != nil {
		return process.Spec{}, err
	}
	pair, err := issuer.Certificate(ctx, filepath.Join(folder, "client"), credentials.TracedAccount(namespace, account))
	if err != nil {
		return process.Spec{}, fmt.Errorf("making %s a caller whose traces count: %w", name, state.Remedy(err))
	}
	kubeconfig, err := c.kubeconfig(name, credentials.Kubeconfig{User: account, CertFile: pair.CertFile, KeyFile: pair.KeyFile})
	return process.Spec{
		Path: program, Args: append([]string{"--kubeconfig=" + kubeconfig}, args...),
		Revision: c.serverRevision() + pair.Fingerprint,
	}, err
}
