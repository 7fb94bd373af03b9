package up

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/manifest"
	"github.com/operator-tracing/sandbox/sandbox/project"
)

// NoJaegerConfig is the value of Options.JaegerConfig that brings the sandbox's own configuration back.
const NoJaegerConfig = "none"

// checkExisting finds values about existing clusters, and about what several machines need, that can't be.
func (o Options) checkExisting() error {
	for _, only := range []struct{ flag, value string }{
		{"--context", o.Context}, {"--kubeconfig", o.Kubeconfig}, {"--registry", o.Registry},
		{"--jaeger-endpoint", o.JaegerEndpoint}, {"--jaeger-query", o.JaegerQuery},
	} {
		if only.value != "" && (o.Cluster == component.Kind || o.Cluster == component.Embedded) {
			return fmt.Errorf("--cluster=%s %s=%s: it is about an existing cluster: use --cluster=existing with it", o.Cluster, only.flag, only.value)
		}
	}
	if o.Cluster == component.Existing {
		if err := o.checkExistingOnly(); err != nil {
			return err
		}
	}
	if o.Registry != "" {
		if _, err := artifact.NewFolder(o.Registry); err != nil {
			return fmt.Errorf("--registry=%s: %w", o.Registry, err)
		}
	}
	if o.OperatorReplicas < 0 {
		return fmt.Errorf("--operator-replicas=%d: use 1 or more", o.OperatorReplicas)
	}
	if o.Cluster == component.Embedded && o.OperatorReplicas > 1 {
		return fmt.Errorf("--cluster=embedded --operator-replicas=%d: an embedded cluster runs one process of it", o.OperatorReplicas)
	}
	if err := o.checkJaeger(); err != nil {
		return err
	}
	return o.checkJaegerConfig()
}

// checkExistingOnly finds options that an existing cluster has no use for.
func (o Options) checkExistingOnly() error {
	switch {
	case o.Bundle != "":
		return fmt.Errorf("--cluster=existing --bundle=%s: a bundle is for kind clusters that the sandbox makes", o.Bundle)
	case o.ControlPlaneTracing != nil && *o.ControlPlaneTracing:
		return errors.New("--cluster=existing --control-plane-tracing: how its control plane runs is not the sandbox's to change; kind and embedded clusters have it")
	case o.Provider != "auto":
		return fmt.Errorf("--cluster=existing --provider=%s: the cluster is there, and no engine is asked for one", o.Provider)
	case o.Ports.Chosen():
		return errors.New("--cluster=existing: Jaeger has no ports on this machine: leave their options out; `sandbox trace` finds its own way")
	}
	return nil
}

func (o Options) checkJaeger() error {
	if o.JaegerEndpoint != "" {
		if _, err := telemetryAt(o.JaegerEndpoint); err != nil {
			return err
		}
		if o.JaegerConfig != "" && o.JaegerConfig != NoJaegerConfig {
			return fmt.Errorf("--jaeger-config=%s --jaeger-endpoint=%s: the one is for a Jaeger of the sandbox's, the other names one of yours", o.JaegerConfig, o.JaegerEndpoint)
		}
	}
	if o.JaegerQuery == "" {
		return nil
	}
	parsed, err := url.Parse(o.JaegerQuery)
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" {
		return fmt.Errorf("--jaeger-query=%s: use the URL of Jaeger's web page, http://HOST:PORT say, as this machine sees it", o.JaegerQuery)
	}
	return nil
}

// telemetryAt reads an endpoint, HOST:PORT.
func telemetryAt(endpoint string) (project.Telemetry, error) {
	host, text, err := net.SplitHostPort(endpoint)
	port, number := strconv.Atoi(text)
	if err != nil || number != nil || host == "" || port < 1 || port > 65535 {
		return project.Telemetry{}, fmt.Errorf("--jaeger-endpoint=%s: use HOST:PORT of its receiver of OTLP over gRPC, as the cluster sees it", endpoint)
	}
	if net.ParseIP(host) != nil && net.ParseIP(host).To4() == nil {
		host = "[" + host + "]" // It becomes a part of URLs.
	}
	return project.Telemetry{Host: host, Ports: component.Ports{component.OTLPGRPC: port}}, nil
}

func (o Options) checkJaegerConfig() error {
	if o.JaegerConfig == "" || o.JaegerConfig == NoJaegerConfig {
		return nil
	}
	if o.Cluster == component.Embedded {
		return fmt.Errorf("--cluster=embedded --jaeger-config=%s: an embedded cluster's Jaeger is told by the sandbox where to listen", o.JaegerConfig)
	}
	_, err := readJaegerConfig(o.JaegerConfig)
	return err
}

func readJaegerConfig(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err == nil {
		err = manifest.CheckJaegerConfig(data)
	}
	if err != nil {
		return nil, fmt.Errorf("--jaeger-config=%s: %w", path, err)
	}
	return data, nil
}
