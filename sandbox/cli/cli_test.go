package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/goleak"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/graph"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// TestMain clears the options that CI or a developer set in the environment. The processes that
// TestAction starts run the command line.
func TestMain(m *testing.M) {
	if os.Getenv(actionProgram) != "" {
		os.Exit(Execute(context.Background(), os.Args[1:], os.Stdout, os.Stderr, Plan{}))
	}
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

// runLine runs a command line. Its plan of up prints the options as JSON, and fails before the steps that
// need a cluster. The argument check fails the test if an error is not nil.
func runLine(check func(error), args []string) result {
	stderr, err := os.CreateTemp("", "stderr")
	check(err)
	defer os.Remove(stderr.Name()) //nolint:errcheck // A temporary file.
	defer stderr.Close()
	var stdout bytes.Buffer
	choice := func(s *lifecycle.Sandbox) []graph.Step {
		return []graph.Step{{Name: "stop", Limit: time.Minute, Run: func(context.Context, func(string, ...any)) error {
			return errors.Join(json.NewEncoder(&stdout).Encode(s.Options), errors.New("the test's plan ends here"))
		}}}
	}
	args = append([]string{}, args...) // Cobra replaces nil by the arguments of the test binary.
	code := Execute(context.Background(), args, &stdout, stderr, Plan{Choice: choice, Steps: func(*lifecycle.Sandbox) []graph.Step { return nil }})
	said, err := os.ReadFile(stderr.Name())
	check(err)
	return result{code, stdout.String(), string(said)}
}

// execute runs a command line with an empty home folder.
func execute(t *testing.T, args ...string) result {
	t.Helper()
	home := t.TempDir()
	for _, variable := range []string{"XDG_STATE_HOME", "XDG_CACHE_HOME", "HOME"} {
		t.Setenv(variable, filepath.Join(home, variable))
	}
	return runLine(func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}, args)
}

func TestHelpNamesEveryCommand(t *testing.T) {
	got := execute(t, "--help")
	if got.code != exitOK || got.stderr != "" {
		t.Errorf("exit code %d, stderr %q", got.code, got.stderr)
	}
	if bare := execute(t); bare != got {
		t.Errorf("without arguments: %+v", bare)
	}
	root, _ := newRoot(Plan{}, os.Stderr)
	if commands := root.Commands(); len(commands) < 8 {
		t.Fatalf("only %d commands", len(commands))
	}
	eachCommand(t, root, func(t *testing.T, c *cobra.Command, words []string) {
		parent := execute(t, append(slices.Clone(words[:len(words)-1]), "--help")...)
		if !strings.Contains(parent.stdout, "  "+c.Name()+" ") || !strings.Contains(parent.stdout, c.Short) {
			t.Errorf("the list of commands lacks %q (%s)", c.Name(), c.Short)
		}
		own := execute(t, append(words, "--help")...)
		if own.code != exitOK || own.stderr != "" || c.Long == "" || !strings.Contains(own.stdout, c.Long) {
			t.Errorf("the help explains nothing: %+v", own)
		}
		if _, example, found := strings.Cut(own.stdout, "Examples:\n"); !found || !strings.Contains(example, "sandbox ") {
			t.Errorf("the help has no example: %+v", own)
		}
	})
}

// eachCommand calls f in a subtest for each command that is not hidden, with its names. It leaves out
// the commands that cobra adds.
func eachCommand(t *testing.T, parent *cobra.Command, f func(t *testing.T, c *cobra.Command, words []string)) {
	for _, c := range parent.Commands() {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		t.Run(c.CommandPath(), func(t *testing.T) { f(t, c, strings.Fields(c.CommandPath())[1:]) })
		eachCommand(t, c, f)
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

// wrong are values that a type of flags does not take.
var wrong = map[string]string{"bool": "maybe", "int": "many", "duration": "soon"}

// Every command reports every mistake in the same way: exit code 2, and an error with the flag and the
// variable or the line that it comes from.
func TestMistakesOfEveryCommand(t *testing.T) {
	root, _ := newRoot(Plan{}, os.Stderr)
	eachCommand(t, root, func(t *testing.T, c *cobra.Command, words []string) {
		var arguments []string // They follow the flags: all words after the command of run are the command's.
		mistake := func(want string, args ...string) {
			t.Helper()
			got := execute(t, slices.Concat(words, args, arguments)...)
			if got.code != exitUsage || got.stdout != "" || !strings.HasPrefix(got.stderr, "Error: ") || !strings.Contains(got.stderr, want) || strings.Count(got.stderr, "\n") != 2 {
				t.Errorf("%q: %+v, want exit code %d and %q", args, got, exitUsage, want)
			}
		}
		mistake("unknown flag: --no-such-flag", "--no-such-flag")
		if c.Name() != "import" && c.Name() != "run" { // They take any number of arguments.
			mistake("", "a", "b", "c")
		}
		if c.HasSubCommands() && c.Name() != "trace" {
			return // Only its subcommands have flags.
		}
		for c.ValidateArgs(arguments) != nil && len(arguments) < 2 { // Variables and files are read after the arguments.
			arguments = append(arguments, "a")
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			value := wrong[f.Value.Type()]
			if value == "" || f.Name == "help" {
				return
			}
			option, variable := "--"+f.Name+"="+value+": use ", "SANDBOX_"+strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
			mistake(option, "--"+f.Name+"="+value)
			file := filepath.Join(writeFiles(t, map[string]string{"options.yaml": "\n" + f.Name + ": " + value}), "options.yaml")
			mistake("reading options from "+file+":2: "+option, "--config="+file)
			t.Setenv(variable, value)
			mistake("reading options from " + variable + ": " + option)
			if err := os.Unsetenv(variable); err != nil { // The test's end restores it.
				t.Fatal(err)
			}
		})
	})
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
	got := execute(t, "env", "--state-dir="+folder)
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
