package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kind/pkg/log"
	"sigs.k8s.io/yaml"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/engine"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// The golden files are the configurations for kind; -update writes them.
func TestKindConfig(t *testing.T) {
	t.Parallel()
	ports := component.Ports{component.UI: 1, component.Query: 2, component.OTLPGRPC: 3, component.OTLPHTTP: 4, component.Thrift: 5}
	registry := Node{Image: "docker.example.test/kindest/node:v1.37.0"}
	source := Node{Image: "localhost/operator-tracing/node:v1.37.2-abc", Source: true, EtcdTag: "3.7.0-0", CoreDNSTag: "v1.14.0"}
	traced := func(node Node) Node { node.Tracing = true; return node }
	for _, test := range []struct {
		name string
		node Node
		host engine.Host
	}{
		{"registry-cgroup-v1", registry, engine.Host{}},
		{"registry-cgroup-v2", registry, engine.Host{CgroupV2: true}},
		{"source-cgroup-v1", source, engine.Host{}},
		{"source-cgroup-v2", source, engine.Host{CgroupV2: true}},
		{"registry-traced", traced(registry), engine.Host{CgroupV2: true}},
		{"source-traced", traced(source), engine.Host{CgroupV2: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := yaml.Marshal(kindConfig("test", test.node, test.host, ports, state.Dir{Path: "/state"}))
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", test.name+".yaml")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestHashConfigDistinguishesSettings(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for name, node := range map[string]Node{
		"one": {Image: "a"}, "other image": {Image: "b"}, "source": {Image: "a", Source: true}, "other etcd": {Image: "a", Source: true, EtcdTag: "1"},
		"traced": {Image: "a", Tracing: true},
	} {
		for _, host := range []engine.Host{{CgroupV2: true}, {}} {
			for _, port := range []int{1, 2} {
				what := fmt.Sprintf("%s, %+v, port %d", name, host, port)
				hash, err := hashConfig(kindConfig("test", node, host, component.Ports{component.UI: port}, state.Dir{Path: "/state"}), node)
				if err != nil {
					t.Fatal(err)
				}
				if other := seen[hash]; other != "" {
					t.Errorf("hashConfig: %s has the same hash as %s", what, other)
				}
				seen[hash] = what
			}
		}
	}
	one, _ := hashConfig(kindConfig("test", Node{Image: "a"}, engine.Host{Memory: 1}, component.Ports{}, state.Dir{Path: "/state"}), Node{})
	other, _ := hashConfig(kindConfig("test", Node{Image: "a"}, engine.Host{Memory: 2, Kernel: "6"}, component.Ports{}, state.Dir{Path: "/state"}), Node{})
	if one != other {
		t.Error("hashConfig depends on the memory or kernel of the host, which would recreate the cluster")
	}
}

func Example_plainWords() {
	fmt.Println(plainWords(" • Preparing nodes 📦  ..."))
	fmt.Println(plainWords(" ✓ Starting control-plane 🕹️"))
	fmt.Println(plainWords(`Creating cluster "test" ...`))
	// Output:
	// Preparing nodes
	// Starting control-plane
	// Creating cluster "test"
}

func FuzzPlainWords(f *testing.F) {
	f.Add(" ✗ Writing configuration 📜")
	f.Add("\x1b[32mgreen\x1b[0m\r\n")
	f.Fuzz(func(t *testing.T, message string) {
		words := plainWords(message)
		for _, r := range words {
			if unicode.IsControl(r) {
				t.Errorf("plainWords(%q) = %q, want no control character", message, words)
			}
		}
		if again := plainWords(words); again != words {
			t.Errorf("plainWords(%q) = %q, but plainWords of the result = %q", message, words, again)
		}
	})
}

func TestKindLoggerReportsOnlyProgress(t *testing.T) {
	t.Parallel()
	var reported []string
	logger := &kindLogger{report: func(format string, args ...any) { reported = append(reported, fmt.Sprintf(format, args...)) }}
	logger.Warn("cgroup v1")
	logger.Warnf("cgroup %d", 1)
	logger.Error("failed")
	logger.Errorf("failed %d", 1)
	logger.V(0).Info(" • Preparing nodes 📦  ...")
	logger.V(0).Infof("Ensuring node image (%s) 🖼", "node:1")
	logger.V(0).Info(" ... ")
	logger.V(1).Info("a command line")
	if diff := cmp.Diff([]string{"Preparing nodes", "Ensuring node image node:1"}, reported); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if logger.V(1).Enabled() || !logger.V(0).Enabled() {
		t.Error("Enabled: want only level 0")
	}
	var silent log.Logger = &kindLogger{}
	silent.V(0).Info("ignored")
}
