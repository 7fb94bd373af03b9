package embedded

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// The API server and etcd send spans only with Tracing.
func TestTracing(t *testing.T) {
	t.Parallel()
	c := prepared(t)
	off := specs(t, c)
	c.Tracing = true
	on := specs(t, c)
	endpoint := address(c.record.Ports[component.OTLPGRPC])
	for _, name := range []string{component.Etcd, component.APIServer} {
		if traces(off[name]) || !traces(on[name]) {
			t.Errorf("%s: arguments %q without tracing, %q with it", name, off[name].Args, on[name].Args)
		}
		if slices.Contains(off[name].Env, sendSoon) || !slices.Contains(on[name].Env, sendSoon) {
			t.Errorf("%s: environment %q without tracing, %q with it", name, off[name].Env, on[name].Env)
		}
	}
	for _, want := range []string{"--distributed-tracing-address=" + endpoint, "--distributed-tracing-sampling-rate=0"} {
		if !slices.Contains(on[component.Etcd].Args, want) {
			t.Errorf("etcd: got arguments %q, want %s", on[component.Etcd].Args, want)
		}
	}
	content, err := os.ReadFile(filepath.Join(c.dir.Path, "components", component.APIServer, "tracing.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"endpoint: " + endpoint + "\n", "samplingRatePerMillion: 0\n"} {
		if !strings.Contains(string(content), want) {
			t.Errorf("tracing configuration of the API server = %s, want %q in it", content, want)
		}
	}
}

// The API server reads the file only when it starts, so another port of Jaeger must restart it.
func TestTracingFollowsJaeger(t *testing.T) {
	t.Parallel()
	c := prepared(t)
	c.Tracing = true
	before := specs(t, c)
	if err := c.update(func(r *state.Record) { r.Ports = r.Ports.With(component.OTLPGRPC, r.Ports[component.OTLPGRPC]+1) }); err != nil {
		t.Fatal(err)
	}
	after := specs(t, c)
	if before[component.APIServer].Revision == after[component.APIServer].Revision || slices.Equal(before[component.Etcd].Args, after[component.Etcd].Args) {
		t.Error("the API server or etcd would still send spans to the old port")
	}
}

func traces(spec process.Spec) bool {
	return slices.ContainsFunc(spec.Args, func(arg string) bool {
		return strings.HasPrefix(arg, "--tracing-config-file=") || arg == "--enable-distributed-tracing"
	})
}
