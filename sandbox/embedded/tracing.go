package embedded

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/credentials"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// sendSoon makes the OpenTelemetry SDK export spans every 200 ms, like the operator, instead of
// every 5 s.
const sendSoon = "OTEL_BSP_SCHEDULE_DELAY=200"

// traceAPIServer makes the API server send spans. With a sampling rate of 0 it only traces requests
// of trusted callers with a sampled trace context. Spans of all requests would displace other spans
// from Jaeger's memory.
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
	spec.Revision += cache.Key([]byte(content))
	return write(path, content)
}

// traceEtcd makes etcd send spans. Its only caller is the API server.
func (c *Cluster) traceEtcd(spec *process.Spec) {
	if !c.Tracing {
		return
	}
	_, jaeger := c.ports()
	spec.Args = append(spec.Args, "--enable-distributed-tracing", "--distributed-tracing-address="+address(jaeger[component.OTLPGRPC]),
		"--distributed-tracing-service-name=etcd", "--distributed-tracing-sampling-rate=0")
	spec.Env = append(spec.Env, sendSoon)
}

// tracedAccountSpec is like accountSpec, but with a certificate instead of a token. The certificate
// has the same user and groups, and the group system:monitoring, which a token cannot have.
func (c *Cluster) tracedAccountSpec(ctx context.Context, name, namespace, account, program string, args ...string) (process.Spec, error) {
	return c.specAs(name, program, args, func(issuer *credentials.Issuer, folder string) (credentials.Kubeconfig, string, error) {
		pair, err := issuer.Certificate(ctx, filepath.Join(folder, "client"), credentials.TracedAccount(namespace, account))
		if err != nil {
			return credentials.Kubeconfig{}, "", fmt.Errorf("creating a certificate of a traced caller for %s: %w", name, state.Remedy(err))
		}
		return credentials.Kubeconfig{User: account, CertFile: pair.CertFile, KeyFile: pair.KeyFile}, pair.Fingerprint(), nil
	})
}
