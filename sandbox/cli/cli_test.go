package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/graph"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// TestMain clears the options that CI or a developer set in the environment.
func TestMain(m *testing.M) {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "SANDBOX_") {
			_ = os.Unsetenv(name) // It fails only for invalid names.
		}
	}
	goleak.VerifyTestMain(m)
}

// result is the result of a command line.
type result struct {
	code           int
	stdout, stderr string
}

// errStop stops the plan of tests before the steps that need a cluster.
var errStop = errors.New("the test's plan ends here")

// execute runs a command line with an empty home folder. It stores the options of up in seen.
func execute(t *testing.T, seen *session.Options, args ...string) result {
	t.Helper()
	home := t.TempDir()
	for _, variable := range []string{"XDG_STATE_HOME", "XDG_CACHE_HOME", "HOME"} {
		t.Setenv(variable, filepath.Join(home, variable))
	}
	stderr, err := os.Create(filepath.Join(home, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	choice := func(r *lifecycle.Sandbox) []graph.Step {
		if seen != nil {
			*seen = r.Options
		}
		return []graph.Step{{Name: "stop", Limit: time.Minute, Run: func(context.Context, func(string, ...any)) error { return errStop }}}
	}
	var stdout bytes.Buffer
	code := Execute(t.Context(), args, &stdout, stderr, Plan{Choice: choice, Steps: func(*lifecycle.Sandbox) []graph.Step { return nil }})
	said, err := os.ReadFile(stderr.Name())
	if err != nil {
		t.Fatal(err)
	}
	return result{code, stdout.String(), string(said)}
}

func TestUsageErrors(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"start"}, `unknown command "start"`},
		{[]string{"stauts"}, `unknown command "stauts" (did you mean status?)`},
		{[]string{"up", "--clustr=kind"}, "unknown flag: --clustr (did you mean --cluster?)"},
		{[]string{"up", "--x"}, "unknown flag: --x\n"},
		{[]string{"status", "-x"}, "unknown shorthand flag: 'x' in -x"},
		{[]string{"up", "--cluster=embded"}, "--cluster=embded: use auto, kind, embedded, existing (did you mean embedded?)"},
		{[]string{"up", "--images=regstry"}, "(did you mean registry?)"},
		{[]string{"up", "now"}, "expected no argument, got 1"},
		{[]string{"up", "--image=source"}, "unknown flag: --image"},
		{[]string{"up", "--images=docker"}, "--images=docker: use auto, registry, source"},
		{[]string{"up", "--provider=lxc"}, "--provider=lxc: use auto, docker, podman, nerdctl"},
		{[]string{"bundle", "shwo"}, `unknown command "shwo" of bundle (did you mean show?)`},
		{[]string{"bundle", "x"}, `unknown command "x" of bundle: use create or show`},
		{[]string{"load", "oprator"}, `unknown command "oprator" of load (did you mean operator?)`},
		{[]string{"help", "stauts"}, `unknown command "stauts" (did you mean status?)`},
		{[]string{"help", "bundle", "shwo"}, `unknown command "shwo" of bundle (did you mean show?)`},
		{[]string{"completion", "bsh"}, `unknown command "bsh" of completion (did you mean bash or zsh?)`},
		{[]string{"completion", "bash", "x"}, "expected no argument, got 1"},
		{[]string{"manifests", "--overlay=../../etc"}, "--overlay=../../etc: use certmanager, crd, default, "},
		{[]string{"logs", "a", "b"}, "expected at most one component, got 2"},
		{[]string{"up", "--timeout=40"}, "--timeout=40: use a time with its unit, for example 90s or 5m"},
		{[]string{"up", "--jaeger-ui-port=http"}, "--jaeger-ui-port=http: use a number"},
		{[]string{"down", "--purge=all"}, "--purge=all: use true or false"},
		{[]string{"up", "--control-plane-tracing=all"}, "--control-plane-tracing=all: use true or false"},
		{[]string{"up", "--jaeger-ui-port=70000"}, "--jaeger-ui-port=70000: use a port from 1 to 65535"},
		{[]string{"up", "--name=My_Cluster"}, "--name=My_Cluster: use at most"},
		{[]string{"down", "all"}, "expected no argument, got 1"},
		{[]string{"prune", "--keep-days=-1"}, "--keep-days=-1: use 0 to 36500"},
		{[]string{"prune", "--keep-days=week"}, "--keep-days=week: use a number"},
		{[]string{"prune", "-o", "yaml"}, "--output=yaml: use text or json"},
		{[]string{"observe", "a/b/c"}, `"a/b/c" does not name an object; use KIND/NAME`},
		{[]string{"observe", "web"}, `"web" does not name an object; use KIND/NAME`},
		{[]string{"observe", "deployment", "web"}, "expected at most one object, KIND/NAME, got 2 arguments"},
		{[]string{"observe", "head/a", "-o", "yaml"}, "--output=yaml: use tree, html, svg or json"},
		{[]string{"observe", "head/a", "--condition=Ready"}, "--condition=Ready: use TYPE=STATUS, .PATH=VALUE or none"},
		{[]string{"observe", "head/a", "--timeout=0s"}, "--timeout=0s: use a positive duration"},
		{[]string{"trace"}, "expected the name of an object, got 0"},
		{[]string{"trace", "a/b/c"}, `reading the name of an object "a/b/c"`},
		{[]string{"trace", "a", "-o", "yaml"}, "--output=yaml: use tree, html, svg or json"},
		{[]string{"status", "--output=xml"}, "--output=xml: use text or json"},
		{[]string{"status", "--config=/none/options.yaml"}, "/none/options.yaml"},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			got := execute(t, nil, test.args...)
			if got.code != exitUsage || !strings.Contains(got.stderr, test.want) {
				t.Errorf("exit code %d, stderr %q; want %d and %q", got.code, got.stderr, exitUsage, test.want)
			}
			if got.stdout != "" {
				t.Errorf("a mistake was reported on stdout: %q", got.stdout)
			}
			if lines := strings.Count(got.stderr, "\n"); lines != 2 || !strings.HasPrefix(got.stderr, "Error: ") || !strings.Contains(got.stderr, "--help") {
				t.Errorf("stderr %q, want one line and a hint", got.stderr)
			}
		})
	}
}

func TestFailuresAreOneLine(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"up"}, "Error: stop: " + errStop.Error() + "\n"},
		{[]string{"env"}, "Error: " + session.ErrDown.Error() + "\n"},
		{[]string{"trace", "head-sample"}, "Error: " + session.ErrDown.Error() + "\n"},
		{[]string{"status"}, "Error: " + session.ErrDown.Error() + "\n"},
		{[]string{"prune", "--source=/"}, "Error: finding the repository: / is not inside it; change into it, or name it by --source\n"},
		{[]string{"build", "--source=/"}, "Error: finding the repository: / is not inside it; change into it, or name it by --source\n"},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			got := execute(t, nil, test.args...)
			if got.code != exitFailure || !strings.HasSuffix(got.stderr, test.want) {
				t.Errorf("exit code %d, stderr %q; want %d and %q", got.code, got.stderr, exitFailure, test.want)
			}
		})
	}
}

func TestDownWhenNothingIsUp(t *testing.T) {
	if got := execute(t, nil, "down"); got.code != exitOK || got.stdout != "" {
		t.Errorf("%+v", got)
	}
}

func TestStatusOfASandboxThatIsDownIsJSON(t *testing.T) {
	got := execute(t, nil, "status", "-o", "json", "--name=mine")
	var status provider.Status
	decoder := json.NewDecoder(strings.NewReader(got.stdout))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&status); err != nil {
		t.Fatalf("stdout %q: %v", got.stdout, err)
	}
	want := provider.Status{Name: "mine", State: provider.StateDown, Message: session.ErrDown.Error()}
	if diff := cmp.Diff(want, status); diff != "" || got.code != exitFailure {
		t.Errorf("exit code %d, status (-want +got):\n%s", got.code, diff)
	}
}

func TestHelpNamesEveryCommand(t *testing.T) {
	got := execute(t, nil, "--help")
	if got.code != exitOK || got.stderr != "" {
		t.Errorf("exit code %d, stderr %q", got.code, got.stderr)
	}
	if bare := execute(t, nil); bare != got {
		t.Errorf("without arguments: %+v", bare)
	}
	root, _ := newRoot(Plan{}, os.Stderr)
	commands := root.Commands()
	if len(commands) < 8 {
		t.Fatalf("only %d commands", len(commands))
	}
	for _, c := range commands {
		if !strings.Contains(got.stdout, "  "+c.Name()+" ") || !strings.Contains(got.stdout, c.Short) {
			t.Errorf("help lacks %q (%s)", c.Name(), c.Short)
		}
		if c.Long == "" {
			t.Errorf("command %s explains nothing", c.Name())
		}
		if own := execute(t, nil, c.Name(), "--help"); own.code != exitOK || !strings.Contains(own.stdout, c.Long) {
			t.Errorf("help of %s: %+v", c.Name(), own)
		}
	}
}

// The plugin is the command observe with kubectl's words.
func TestPlugin(t *testing.T) {
	plugin := func(args ...string) result {
		t.Helper()
		t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
		stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
		if err != nil {
			t.Fatal(err)
		}
		defer stderr.Close()
		var stdout bytes.Buffer
		code := ExecutePlugin(t.Context(), args, &stdout, stderr, Plan{})
		said, err := os.ReadFile(stderr.Name())
		if err != nil {
			t.Fatal(err)
		}
		return result{code, stdout.String(), string(said)}
	}
	help := plugin("--help")
	if help.code != exitOK || help.stderr != "" {
		t.Errorf("--help: %+v", help)
	}
	for _, want := range []string{"kubectl observe [KIND/NAME] [flags]", "  kubectl observe deployment/web ", "kubectl's, or the one that --context", "--namespace namespace"} {
		if !strings.Contains(help.stdout, want) {
			t.Errorf("--help lacks %q:\n%s", want, help.stdout)
		}
	}
	for _, unwanted := range []string{"sandbox observe", "go run", "--state-dir", "running sandbox, or with"} {
		if strings.Contains(help.stdout, unwanted) {
			t.Errorf("--help contains %q:\n%s", unwanted, help.stdout)
		}
	}
	t.Setenv("SANDBOX_TIMEOUT", "0s")
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"web"}, exitUsage, "Error: --timeout=0s: use a positive duration (--timeout comes from SANDBOX_TIMEOUT)\nSee `kubectl observe --help`.\n"},
		{[]string{"web", "--timeout=1m"}, exitUsage, "Error: \"web\" does not name an object; use KIND/NAME, for example deployment/web, and -n NAMESPACE\nSee `kubectl observe --help`.\n"},
		{[]string{"--contxt=a"}, exitUsage, "Error: unknown flag: --contxt (did you mean --context?)\nSee `kubectl observe --help`.\n"},
		{[]string{"deployment/web", "--timeout=1m"}, exitFailure, "name a cluster with --context or --kubeconfig\n"},
		{[]string{"deployment/web", "--timeout=1m", "--context=none"}, exitUsage, "set KUBECONFIG or --kubeconfig\nSee `kubectl observe --help`.\n"},
	} {
		if got := plugin(test.args...); got.code != test.code || got.stdout != "" || !strings.HasSuffix(got.stderr, test.want) {
			t.Errorf("%q: %+v, want %d and %q", test.args, got, test.code, test.want)
		}
	}
}

func TestManifestsRenders(t *testing.T) {
	const image = "localhost/operator:test"
	got := execute(t, nil, "manifests", "--image="+image)
	if got.code != exitOK {
		t.Fatal(got.stderr)
	}
	for _, want := range []string{"kind: CustomResourceDefinition", "kind: Deployment", "kind: MutatingWebhookConfiguration", "image: " + image} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("the manifests lack %q", want)
		}
	}
	if got := execute(t, nil, "manifests", "--overlay=none"); got.code == exitOK || !strings.Contains(got.stderr, "none") {
		t.Errorf("an overlay that is not there: %+v", got)
	}
}

func TestEnvIsForAnyShell(t *testing.T) {
	for _, variable := range []string{"KIND_EXPERIMENTAL_DOCKER_NETWORK", "KIND_EXPERIMENTAL_PODMAN_NETWORK", "CONTAINERS_CONF"} {
		t.Setenv(variable, "") // Restores them after the test: New sets them.
	}
	folder := filepath.Join(t.TempDir(), "it's $HOME \"here\"")
	dir, err := state.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	record := state.Record{Name: "mine", Provider: "podman", Ports: component.Ports{component.UI: 1, component.Query: 2, component.OTLPGRPC: 3, component.OTLPHTTP: 4, component.Thrift: 5}}
	if err := dir.Save(record); err != nil {
		t.Fatal(err)
	}
	got := execute(t, nil, "env", "--state-dir="+folder)
	if got.code != exitOK {
		t.Fatal(got.stderr)
	}
	script := got.stdout + `printf '%s\n' "$KUBECONFIG" "$OTEL_EXPORTER_OTLP_ENDPOINT" "$OTEL_EXPORTER_JAEGER_ENDPOINT"`
	out, err := exec.CommandContext(t.Context(), "/bin/sh", "-c", script).Output()
	if err != nil {
		t.Fatal(err)
	}
	want := dir.Kubeconfig() + "\nhttp://127.0.0.1:3\nhttp://127.0.0.1:5/api/traces\n"
	if diff := cmp.Diff(want, string(out)); diff != "" {
		t.Errorf("what a shell makes of it (-want +got):\n%s", diff)
	}
}

func TestLogsUsageErrors(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"logs", "a", "b"}, "expected at most one component, got 2"},
		{[]string{"logs", "--tail=-2"}, "--tail=-2: use 0 or more"},
		{[]string{"logs", "--since=-1s"}, "--since=-1s: use a time above 0"},
		{[]string{"logs", "--since=soon"}, "--since=soon: use a time with its unit"},
	} {
		if got := execute(t, nil, test.args...); got.code != exitUsage || !strings.Contains(got.stderr, test.want) {
			t.Errorf("%q: %+v, want %q", test.args, got, test.want)
		}
	}
}
