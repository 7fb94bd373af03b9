package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/operator-tracing/sandbox/sandbox/project/kinds"
)

// jaegerConfigFile is the key of the ConfigMap that config/jaeger mounts.
const jaegerConfigFile = "config.yaml"

// collectorConfig has the fields of Jaeger's configuration that the sandbox needs.
type collectorConfig struct {
	Receivers  map[string]any `json:"receivers"`
	Extensions map[string]any `json:"extensions"`
	Service    struct {
		Extensions []string `json:"extensions"`
		Pipelines  map[string]struct {
			Receivers []string `json:"receivers"`
		} `json:"pipelines"`
	} `json:"service"`
}

// CheckJaegerConfig checks that a configuration of Jaeger v2 suits a sandbox. It must be YAML,
// receive OTLP over gRPC in a pipeline of traces, answer queries, and report its health.
// CheckJaegerConfig ignores addresses; config/jaeger/config.yaml shows the ports.
func CheckJaegerConfig(data []byte) error {
	var c collectorConfig
	if err := yaml.Unmarshal(data, &c); err != nil {
		return errors.New(strings.Join(strings.Fields(err.Error()), " ")) // on one line
	}
	for _, extension := range []struct{ name, why string }{
		{"jaeger_query", "the sandbox reads traces from it"}, {"healthcheckv2", "the readiness probe of the Pod uses it, on port 13133"},
	} {
		if !slices.Contains(c.Service.Extensions, extension.name) {
			return fmt.Errorf("service.extensions lacks %s: %s", extension.name, extension.why)
		}
		if _, has := c.Extensions[extension.name]; !has {
			return fmt.Errorf("extensions lacks %s, which service.extensions names", extension.name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Service.Pipelines)) {
		if (name == "traces" || strings.HasPrefix(name, "traces/")) && slices.Contains(c.Service.Pipelines[name].Receivers, "otlp") {
			return c.checkOTLP()
		}
	}
	return errors.New("service.pipelines has no pipeline traces with the receiver otlp: operators send their spans there")
}

func (c collectorConfig) checkOTLP() error {
	receiver := map[string]any{"otlp": c.Receivers["otlp"]}
	if _, has, err := unstructured.NestedFieldNoCopy(receiver, "otlp", "protocols", "grpc"); err != nil || !has {
		return errors.New("receivers.otlp.protocols lacks grpc: operators send their spans over it, to port 4317")
	}
	return nil
}

// setJaegerConfig replaces the configuration in the ConfigMap. The name of the ConfigMap has a hash
// of it, so a new configuration creates a new Pod.
func setJaegerConfig(objects []*unstructured.Unstructured, deployment *unstructured.Unstructured, data []byte) error {
	sum := sha256.Sum256(data)
	for _, obj := range objects {
		if _, has, _ := unstructured.NestedString(obj.Object, "data", jaegerConfigFile); !has || obj.GetKind() != "ConfigMap" {
			continue
		}
		for _, volume := range kinds.Maps(deployment.Object, "spec", "template", "spec", "volumes") {
			if source, ok := volume["configMap"].(map[string]any); ok && source["name"] == obj.GetName() {
				obj.SetName("jaeger-" + hex.EncodeToString(sum[:5]))
				obj.Object["data"] = map[string]any{jaegerConfigFile: string(data)}
				source["name"] = obj.GetName()
				return nil
			}
		}
	}
	return errors.New("config/jaeger has no ConfigMap with " + jaegerConfigFile + " that its Deployment mounts")
}
