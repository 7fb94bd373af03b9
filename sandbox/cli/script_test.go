package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts show what users see of the command line: messages, results and exit codes. Besides the
// commands of testscript they have sandbox, which must exit with 0 (after !, with another code), and
// usage, fails, reports and judges: see exits. REPO is the repository.
func TestScripts(t *testing.T) {
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join(repository, "sandbox/cli/testdata/script"), ContinueOnError: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("REPO", repository)
			env.Setenv("ESC", "\x1b")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sandbox": func(ts *testscript.TestScript, failure bool, args []string) {
				if got := runScripted(ts, args); failure != (got.code != exitOK) {
					ts.Fatalf("exit code %d", got.code)
				}
			},
			"usage": exits(exitUsage, 2), "fails": exits(exitFailure, 1), "reports": exits(exitFailure, 0),
			"judges": exits(exitVerdict, 0),
		},
	})
}

// exits returns a command of scripts that runs the sandbox: TEXT ARGUMENT... The text must be in the
// error, which is the only output and has a number of lines; after a mistake in the command line, the
// second one names the help. With 0 lines, there may be more output before the error.
func exits(code, lines int) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		got := runScripted(ts, args[1:])
		before, message, _ := strings.Cut("\n"+got.stderr, "\nError: ")
		if got.code != code || !strings.Contains("Error: "+message, args[0]) || strings.Contains(got.stdout+got.stderr, "\x1b") {
			ts.Fatalf("exit code %d, want %d and %q", got.code, code, args[0])
		}
		if lines > 0 && (got.stdout+before != "" || strings.Count(message, "\n") != lines) {
			ts.Fatalf("more output than an error of %d lines", lines)
		}
		parts := strings.Split("Error: "+message, ": ")
		for i := range parts[1:] {
			if parts[i] == parts[i+1] {
				ts.Fatalf("the error repeats %q", parts[i])
			}
		}
		if code == exitUsage && !regexp.MustCompile("\nSee (`sandbox[ a-z-]* --help`|docs/.*)\\.\n$").MatchString(message) {
			ts.Fatalf("the error does not name the help")
		}
	}
}

// process is held by the command that runs: the environment, the working folder and the standard
// input are the process's.
var process sync.Mutex

// assignment matches an argument that sets a variable.
var assignment = regexp.MustCompile(`^[A-Z_]+=`)

// runScripted runs the sandbox as a shell would: [VARIABLE=VALUE]... ARGUMENT... [<FILE]. It does so
// in this process. testscript.Main would start a process for each command, which takes 0.2 s of CPU
// time, a hundred times as long as the command.
func runScripted(ts *testscript.TestScript, args []string) (got result) {
	process.Lock()
	defer process.Unlock()
	home := ts.MkAbs(".home")
	variables := []string{"HOME=" + home, "XDG_STATE_HOME=" + home, "XDG_CACHE_HOME=" + home}
	for len(args) > 0 && assignment.MatchString(args[0]) {
		variables, args = append(variables, args[0]), args[1:]
	}
	var restore []func()
	defer func() {
		for _, do := range slices.Backward(restore) {
			do()
		}
	}()
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		before, set := os.LookupEnv(name)
		ts.Check(os.Setenv(name, value))
		restore = append(restore, func() {
			if set {
				ts.Check(os.Setenv(name, before))
			} else {
				ts.Check(os.Unsetenv(name))
			}
		})
	}
	folder, err := os.Getwd()
	ts.Check(err)
	ts.Check(os.Chdir(ts.MkAbs(".")))
	defer func() { ts.Check(os.Chdir(folder)) }()
	if last := len(args) - 1; last >= 0 && strings.HasPrefix(args[last], "<") {
		file, err := os.Open(args[last][1:])
		ts.Check(err)
		defer file.Close()
		defer func(before *os.File) { os.Stdin = before }(os.Stdin)
		os.Stdin, args = file, args[:last]
	}
	got = runLine(ts.Check, args)
	_, _ = ts.Stdout().Write([]byte(got.stdout)) // Builders return no error.
	_, _ = ts.Stderr().Write([]byte(got.stderr))
	return got
}
