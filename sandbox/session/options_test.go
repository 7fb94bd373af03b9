package session

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

func TestOptionsDefaults(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", "/state")
	got, err := Options{}.Complete()
	if err != nil {
		t.Fatal(err)
	}
	want := Options{
		Name: DefaultName, StateDir: "/state/operator-tracing-sandbox/" + DefaultName, Cluster: "auto", Provider: "auto", Images: "auto", Timeout: DefaultTimeout,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	set := Options{
		Name: "a", StateDir: "/b", Source: "/c", Cluster: "kind", Provider: "podman", Images: "source", Ports: component.Ports{component.UI: 1},
		OperatorEnv: []string{"A=", "B=c=d"}, Timeout: time.Second,
	}
	if got, err := set.Complete(); err != nil || !cmp.Equal(got, set) {
		t.Errorf("options that were set became %+v, %v", got, err)
	}
}

func TestInvalidOptions(t *testing.T) {
	for _, test := range []struct {
		options Options
		want    string
	}{
		{Options{Name: "Upper"}, "--name=Upper: use at most 46"},
		{Options{Images: "docker"}, "--images=docker: use auto, registry, source"},
		{Options{Provider: "lxc"}, "--provider=lxc: use auto, docker, podman, nerdctl"},
		{Options{Cluster: "k3d"}, "--cluster=k3d: use auto, kind, embedded"},
		{Options{RegistryMirror: "mirror"}, `--registry-mirror=mirror: invalid registry mirror "mirror": want HOST`},
		{Options{RegistryMirror: "a.example", RegistryPins: "/none"}, "--registry-mirror=a.example: reading the pins of the registry mirror from /none: "},
		{Options{RegistryPins: "pins.yaml"}, "--registry-pins=pins.yaml: it is about a mirror"},
		{Options{RegistryMirror: "a.example", Images: "source"}, "--images=source --registry-mirror=a.example: "},
		{Options{Bundle: "a.tar", Images: "registry"}, "--images=registry --bundle=a.tar: "},
		{Options{Bundle: "a.tar", RegistryMirror: "a.example"}, "--registry-mirror=a.example --bundle=a.tar: "},
		{Options{OperatorEnv: []string{"A"}}, "--operator-env=A: use NAME=VALUE"},
		{Options{OperatorEnv: []string{"=A"}}, "--operator-env==A: use NAME=VALUE"},
		{Options{Timeout: -time.Second}, "--timeout=-1s"},
		{Options{Ports: component.Ports{component.UI: -1}}, "--jaeger-ui-port=-1: use a port from 1 to 65535"},
		{Options{Ports: component.Ports{component.Thrift: 65536}}, "--thrift-port=65536"},
		{Options{Ports: component.Ports{component.Query: 5000, component.OTLPHTTP: 5000}}, "--otlp-http-port=5000: --jaeger-query-port is the same"},
	} {
		_, err := Open(test.options)
		var mistake *settings.Error
		if !errors.As(err, &mistake) || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%+v: error %v, want %q", test.options, err, test.want)
		}
	}
}

func TestFindSource(t *testing.T) {
	root := t.TempDir()
	for path, content := range map[string]string{
		"go.mod":            "module " + Module + "\n",
		"sandbox/cli/x.go":  "package cli\n",
		"nested/go.mod":     "module " + Module + "/nested\n",
		"nested/deep/x.go":  "package deep\n",
		"broken/go.mod":     "not a module file",
		"broken/deeper/a.b": "",
	} {
		full := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{".", "sandbox/cli", "nested/deep", "broken/deeper"} {
		if got, err := findSource(filepath.Join(root, folder)); got != root || err != nil {
			t.Errorf("from %s: %s, %v; want %s", folder, got, err, root)
		}
	}
	t.Chdir(filepath.Join(root, "sandbox"))
	if got, err := findSource("."); got != root || err != nil {
		t.Errorf("from the working folder: %s, %v; want %s", got, err, root)
	}
	outside := t.TempDir()
	if _, err := findSource(outside); err == nil || !strings.Contains(err.Error(), outside) || !strings.Contains(err.Error(), "--source") {
		t.Errorf("from outside: %v", err)
	}
}

// A sandbox keeps its name: its cluster is found by it.
func TestASandboxKeepsItsName(t *testing.T) {
	folder := t.TempDir()
	dir, err := state.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.Save(state.Record{Name: "first", Cluster: component.Kind, Provider: "podman"}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "first"} {
		if run, err := Open(Options{StateDir: folder, Name: name}); err != nil || run.Name != "first" {
			t.Errorf("--name=%s: %+v, %v", name, run, err)
		}
	}
	_, err = Open(Options{StateDir: folder, Name: "second"})
	var mistake *settings.Error
	if !errors.As(err, &mistake) || !strings.Contains(err.Error(), "--name=second: the sandbox in "+folder+" is called first; omit --name") {
		t.Errorf("--name=second: error %v", err)
	}
}
