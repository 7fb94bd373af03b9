package session

import (
	"net"
	"net/url"
	"strconv"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/input"
	"github.com/operator-tracing/sandbox/sandbox/manifest"
	"github.com/operator-tracing/sandbox/sandbox/project"
)

// NoJaegerConfig is the value of Options.JaegerConfig for the sandbox's own configuration.
const NoJaegerConfig = "none"

func (o Options) checkJaeger() error {
	if o.JaegerEndpoint != "" {
		if _, err := TelemetryAt(o.JaegerEndpoint); err != nil {
			return err
		}
		if o.JaegerConfig != "" && o.JaegerConfig != NoJaegerConfig {
			return settings.Given("jaeger-config", o.JaegerConfig).And("jaeger-endpoint", o.JaegerEndpoint).Errorf("the sandbox does not configure a Jaeger of yours")
		}
	}
	if o.JaegerQuery != "" {
		parsed, err := url.Parse(o.JaegerQuery)
		if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" {
			return settings.Given("jaeger-query", o.JaegerQuery).Errorf("use the URL of Jaeger's web page as this machine sees it, for example http://HOST:PORT")
		}
	}
	if o.JaegerConfig != "" && o.JaegerConfig != NoJaegerConfig {
		_, err := readJaegerConfig(o.JaegerConfig)
		return err
	}
	return nil
}

// TelemetryAt reads an endpoint, HOST:PORT.
func TelemetryAt(endpoint string) (project.Telemetry, error) {
	host, text, err := net.SplitHostPort(endpoint)
	port, number := strconv.Atoi(text)
	if err != nil || number != nil || host == "" || port < 1 || port > 65535 {
		return project.Telemetry{}, settings.Given("jaeger-endpoint", endpoint).Errorf("use HOST:PORT of its receiver of OTLP over gRPC, as the cluster sees it")
	}
	if net.ParseIP(host) != nil && net.ParseIP(host).To4() == nil {
		host = "[" + host + "]" // It becomes a part of URLs.
	}
	return project.Telemetry{Host: host, Ports: component.Ports{component.OTLPGRPC: port}}, nil
}

func readJaegerConfig(path string) ([]byte, error) {
	data, err := input.ReadFile(path, input.MaxConfig)
	if err == nil {
		err = manifest.CheckJaegerConfig(data)
	}
	return data, invalid("jaeger-config", path, err)
}
