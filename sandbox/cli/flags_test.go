package cli

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/session"
)

func optionsFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "options.yaml")
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOptionsComeFromFlagsThenEnvironmentThenFile(t *testing.T) {
	t.Setenv("SANDBOX_PROVIDER", "docker")
	t.Setenv("SANDBOX_IMAGES", "registry")
	t.Setenv("SANDBOX_OTLP_GRPC_PORT", "14317")
	t.Setenv("SANDBOX_NAME", "") // Empty counts as not set.
	path := optionsFile(t, `# Options of the sandbox.
name: from-file
provider: nerdctl
images: auto
timeout: 7m
jaeger-ui-port: 18888
thrift-port:
purge: true # Another command's.
`)
	var got session.Options
	if r := execute(t, &got, "up", "--images=source", "--config="+path); !strings.Contains(r.stderr, errStop.Error()) {
		t.Fatalf("%+v", r)
	}
	if got.Name != "from-file" || got.Provider != "docker" || got.Images != "source" || got.Timeout != 7*time.Minute ||
		!maps.Equal(got.Ports, component.Ports{component.UI: 18888, component.OTLPGRPC: 14317}) {
		t.Errorf("options %+v", got)
	}
}

func TestOptionsFileMistakesNameLineAndKey(t *testing.T) {
	for _, test := range []struct{ content, want string }{
		{"name: a\njaeger-port: 1\n", `:2: unknown option "jaeger-port"`},
		{"name: a\ncluter: kind\n", `:2: unknown option "cluter" (did you mean cluster?)`},
		{"timeout:\n  minutes: 3\n", ":1: timeout: use a single value"},
		{"name: \"a\n", ": yaml: line 2: found unexpected end of stream"},
		{"# words\n\ntimeout: soon\n", `:3: --timeout=soon: use a time with its unit`},
		{"jaeger-ui-port: http\n", `:1: --jaeger-ui-port=http: use a number`},
		{"name:\n- a\n", ":1: name: use a single value"},
		{"provider:\n  name: docker\n", ":1: provider: use a single value"},
		{"name: a\nname: b\n", `:2: repeated option "name"`},
		{"name: [\n", "options.yaml"},
		{"- name\n", "options.yaml: use a map"},
		{"name\n", "options.yaml: use a map"},
		{"provider: lxc\nname: a\nimages: docker\n", "options.yaml:3)"},
	} {
		path := optionsFile(t, test.content)
		got := execute(t, nil, "up", "--config="+path)
		if got.code != exitUsage || !strings.Contains(got.stderr, path) || !strings.Contains(got.stderr, test.want) {
			t.Errorf("%q: exit code %d, stderr %q; want %q", test.content, got.code, got.stderr, test.want)
		}
		if strings.Count(got.stderr, "\n") != 2 {
			t.Errorf("%q: stderr %q has more than a line and the hint", test.content, got.stderr)
		}
	}
}

// A name or a number of lines can have many digits.
func TestNumbersInTheOptionsFileStayAsWritten(t *testing.T) {
	var got session.Options
	if r := execute(t, &got, "up", "--config="+optionsFile(t, "name: 20261123\njaeger-ui-port: 18888\n")); !strings.Contains(r.stderr, errStop.Error()) || got.Name != "20261123" {
		t.Errorf("name %q: %+v", got.Name, r)
	}
	if r := execute(t, nil, "logs", "--config="+optionsFile(t, "tail: 1000000\n")); r.code != exitFailure || !strings.Contains(r.stderr, session.ErrDown.Error()) {
		t.Errorf("%+v", r)
	}
}

// An option can be checked long after it was read.
func TestMistakesNameWhereTheOptionComesFrom(t *testing.T) {
	t.Setenv("SANDBOX_PROVIDER", "lxc")
	if got := execute(t, nil, "up"); got.code != exitUsage || !strings.Contains(got.stderr, "--provider=lxc: use auto") || !strings.Contains(got.stderr, "(--provider comes from SANDBOX_PROVIDER)\n") {
		t.Errorf("exit code %d, stderr %q", got.code, got.stderr)
	}
	if got := execute(t, nil, "up", "--provider=lxd"); strings.Contains(got.stderr, "comes from") {
		t.Errorf("stderr %q, but it comes from the command line", got.stderr)
	}
}

func TestEnvironmentMistakesNameTheVariable(t *testing.T) {
	t.Setenv("SANDBOX_TIMEOUT", "soon")
	got := execute(t, nil, "up")
	if got.code != exitUsage || !strings.Contains(got.stderr, "reading options from SANDBOX_TIMEOUT: --timeout=soon: use a time") {
		t.Errorf("exit code %d, stderr %q", got.code, got.stderr)
	}
}

// --control-plane-tracing distinguishes "not set" from "false".
func TestControlPlaneTracing(t *testing.T) {
	on, off := true, false
	for arg, want := range map[string]*bool{
		"--name=a":                      nil,
		"--control-plane-tracing":       &on,
		"--control-plane-tracing=true":  &on,
		"--control-plane-tracing=false": &off,
	} {
		var got session.Options
		execute(t, &got, "up", arg)
		if diff := cmp.Diff(want, got.ControlPlaneTracing); diff != "" {
			t.Errorf("%s (-want +got):\n%s", arg, diff)
		}
	}
}

// Variables and files can have options for several kinds of clusters.
func TestOptionsForAnotherKindOfCluster(t *testing.T) {
	file := "--config=" + optionsFile(t, "context: kind-mine\nprovider: podman\n")
	t.Setenv("SANDBOX_OPERATOR_REPLICAS", "3")
	var got session.Options
	if r := execute(t, &got, "up", "--cluster=embedded", file); !strings.Contains(r.stderr, errStop.Error()) {
		t.Fatalf("up --cluster=embedded: %+v", r)
	}
	if got.Context != "" || got.Provider != "auto" || got.OperatorReplicas != 0 {
		t.Errorf("options for other kinds of cluster have an effect: %+v", got)
	}
	t.Setenv("SANDBOX_CLUSTER", "existing")
	if r := execute(t, &got, "up", file); !strings.Contains(r.stderr, errStop.Error()) || got.Context != "kind-mine" || got.Provider != "auto" {
		t.Errorf("up on an existing cluster: %+v, options %+v", r, got)
	}
	want := "Error: --cluster=existing --provider=podman: only a kind cluster runs in a container engine; omit --provider or use --cluster=kind (--cluster comes from SANDBOX_CLUSTER)\n"
	if r := execute(t, nil, "up", "--provider=podman"); r.code != exitUsage || !strings.HasPrefix(r.stderr, want) {
		t.Errorf("exit code %d, stderr %q, want %d, %q", r.code, r.stderr, exitUsage, want)
	}
}
