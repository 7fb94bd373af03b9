package cli

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
		{"name: a\nname: b\n", "line 2"},
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

// A name or a number of lines may have many digits.
func TestNumbersInTheOptionsFileStayAsWritten(t *testing.T) {
	var got session.Options
	if r := execute(t, &got, "up", "--config="+optionsFile(t, "name: 20261123\njaeger-ui-port: 18888\n")); !strings.Contains(r.stderr, errStop.Error()) || got.Name != "20261123" {
		t.Errorf("name %q: %+v", got.Name, r)
	}
	if r := execute(t, nil, "logs", "--config="+optionsFile(t, "tail: 1000000\n")); r.code != exitFailure || !strings.Contains(r.stderr, session.ErrDown.Error()) {
		t.Errorf("%+v", r)
	}
}

// A mistake may be found long after the option was read.
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
	if got.code != exitUsage || !strings.Contains(got.stderr, `SANDBOX_TIMEOUT="soon"`) {
		t.Errorf("exit code %d, stderr %q", got.code, got.stderr)
	}
}

func Example_shellQuote() {
	fmt.Println(shellQuote("/home/user/it's here"))
	// Output: '/home/user/it'\''s here'
}

func Example_envName() {
	fmt.Println(envName("otlp-grpc-port"))
	// Output: SANDBOX_OTLP_GRPC_PORT
}

func TestLineOf(t *testing.T) {
	for _, test := range []struct{ data, key, want string }{
		{"a: 1\nb: 2\n", "b", ":2"},
		{"ab: 1\na: 2\n", "a", ":2"},
		{"x:\n  a: 1\n", "a", ""},
		{`{"a": 1}`, "a", ""},
	} {
		if got := lineOf([]byte(test.data), test.key); got != test.want {
			t.Errorf("lineOf(%q, %q) = %q, want %q", test.data, test.key, got, test.want)
		}
	}
}
