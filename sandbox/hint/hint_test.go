package hint

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestCommand(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		style style
		args  []string
		want  string
	}{
		"installed":               {style{}, []string{"up"}, "sandbox up"},
		"another sandbox":         {style{flags: " --name=mine"}, []string{"trace", "NAME"}, "sandbox trace NAME --name=mine"},
		"in the repository":       {style{program: "go run ./sandbox", flags: " --name=mine"}, []string{"down"}, "go run ./sandbox down --name=mine"},
		"make":                    {style{program: "bin/sandbox", made: true}, []string{"down"}, "make sandbox-down"},
		"make, another sandbox":   {style{program: "bin/sandbox", flags: " --name=mine", made: true}, []string{"up"}, "make sandbox-up ARGS='--name=mine'"},
		"make, arguments":         {style{program: "bin/sandbox", made: true}, []string{"down", "--purge"}, "make sandbox-down ARGS='--purge'"},
		"make, but not a target":  {style{program: "bin/sandbox", flags: " --name=mine", made: true}, []string{"forward"}, "bin/sandbox forward --name=mine"},
		"make, a folder's quotes": {style{flags: " --state-dir='/a b'", made: true}, []string{"up"}, `make sandbox-up ARGS='--state-dir='\''/a b'\'''`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := test.style.command(test.args...); got != test.want {
				t.Errorf("command(%q) = %s, want %s", test.args, got, test.want)
			}
		})
	}
}

func TestProgram(t *testing.T) {
	t.Parallel()
	installed := filepath.Join(t.TempDir(), "sandbox")
	if err := os.WriteFile(installed, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	const cached = "/home/a/.cache/go-build/ab/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef-d/sandbox"
	const version = "github.com/operator-tracing/sandbox/sandbox@v1.0.0"
	for name, test := range map[string]struct{ argv0, executable, found, module, want string }{
		"in PATH":              {"sandbox", installed, installed, version, "sandbox"},
		"by its path":          {"/opt/bin/sandbox", "/opt/bin/sandbox", "", version, "/opt/bin/sandbox"},
		"another is in PATH":   {"bin/sandbox", "/src/bin/sandbox", installed, "", "bin/sandbox"},
		"a folder with blanks": {"/my tools/sandbox", "/my tools/sandbox", "", "", "'/my tools/sandbox'"},
		"go run":               {"/tmp/go-build123/b001/exe/sandbox", "/tmp/go-build123/b001/exe/sandbox", "", "", "go run ./sandbox"},
		"go run, cached":       {cached, cached, "", "", "go run ./sandbox"},
		"go run, other cache":  {"/c" + cached[23:], "/c" + cached[23:], "", "", "go run ./sandbox"},
		"go run of a release":  {cached, cached, "", version, "go run " + version},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := programOf(test.argv0, test.executable, test.found, test.module); got != test.want {
				t.Errorf("programOf() = %s, want %s", got, test.want)
			}
		})
	}
}

// Select changes the process, so this test does not run in parallel.
func TestSelect(t *testing.T) {
	t.Cleanup(func() { Select("", "") })
	err := &Error{Format: "run %s or %s", Commands: []string{"up --yes", "down"}}
	for _, test := range []struct{ name, dir, want string }{
		{"", "", "run `sandbox up --yes` or `sandbox down`"},
		{"mine", "", "run `sandbox up --yes --name=mine` or `sandbox down --name=mine`"},
		{"mine", "/a b", "run `sandbox up --yes --name=mine --state-dir='/a b'` or `sandbox down --name=mine --state-dir='/a b'`"},
	} {
		Select(test.name, test.dir)
		if got := err.Error(); got != test.want {
			t.Errorf("after Select(%q, %q): %s, want %s", test.name, test.dir, got, test.want)
		}
	}
}

// Plugin changes the process, so this test does not run in parallel.
func TestPlugin(t *testing.T) {
	t.Cleanup(Plugin())
	Select("", "")
	for want, args := range map[string][]string{"kubectl observe deployment/web": {"observe", "deployment/web"}, "kubectl observe": {"observe"}, "sandbox up": {"up"}} {
		if got := Command(args...); got != want {
			t.Errorf("Command(%q) = %s, want %s", args, got, want)
		}
	}
	if got := Program(); got != "kubectl observe" {
		t.Errorf("Program() = %s", got)
	}
	for name, want := range map[string]bool{"kubectl-observe": true, "/opt/bin/kubectl-observe": true, "kubectl-observe.exe": true, "sandbox": false, "kubectl-observer": false, "": false} {
		if got := IsPlugin(name); got != want {
			t.Errorf("IsPlugin(%q) = %t, want %t", name, got, want)
		}
	}
}

func TestShellWord(t *testing.T) {
	for word, want := range map[string]string{
		"/home/a/.local/state/x-1_y": "/home/a/.local/state/x-1_y", "/home/a b/c": "'/home/a b/c'", "/it's": `'/it'\''s'`, "$HOME": "'$HOME'", "/é/ü": "/é/ü",
	} {
		if got := ShellWord(word); got != want {
			t.Errorf("ShellWord(%q) = %s, want %s", word, got, want)
		}
	}
}

func ExampleShellQuote() {
	fmt.Println(ShellQuote("/home/user/it's here"))
	// Output: '/home/user/it'\''s here'
}
