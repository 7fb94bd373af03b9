// Package hint builds the commands of the sandbox that messages suggest: named as this program was
// started, and with the flags that select the same sandbox.
package hint

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"unicode"
)

// MakeVariable is the environment variable by which the Makefile starts this program.
const MakeVariable = "OPERATOR_TRACING_MAKE"

// makeTargets are the commands that are targets of the Makefile.
var makeTargets = []string{"up", "down", "status", "doctor", "logs", "export"}

// style is how commands are written: the program, and the flags of the sandbox. The zero value is an
// installed program and the default sandbox.
type style struct {
	program, flags string
	made           bool // started by make
	plugin         bool // started by kubectl, as the plugin observe
}

var current atomic.Pointer[style]

// Start sets how commands are named, from how this process was started. Without it they are named
// as an installed program. Only main calls it.
func Start() {
	executable, _ := os.Executable() // If it is unknown, it was installed.
	module := ""
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		module = info.Path + "@" + info.Main.Version
	}
	found, _ := exec.LookPath(filepath.Base(os.Args[0])) // Empty if it is not in PATH.
	s := style{program: programOf(os.Args[0], executable, found, module), made: os.Getenv(MakeVariable) != ""}
	current.Store(&s)
}

// IsPlugin reports whether a program's name is the kubectl plugin's: kubectl starts it for
// `kubectl observe`.
func IsPlugin(argv0 string) bool {
	return strings.TrimSuffix(filepath.Base(argv0), ".exe") == "kubectl-observe"
}

// Plugin names the command observe as kubectl starts it, until the caller calls restore. Other
// commands have the names of an installed program.
func Plugin() (restore func()) {
	before := current.Swap(&style{program: "kubectl observe", plugin: true})
	return func() { current.Store(before) }
}

// Select sets the flags of suggested commands. An empty name or folder is the default, which needs
// no flag.
func Select(name, stateDir string) {
	s := get()
	s.flags = ""
	if name != "" {
		s.flags += " --name=" + ShellWord(name)
	}
	if stateDir != "" {
		s.flags += " --state-dir=" + ShellWord(stateDir)
	}
	current.Store(&s)
}

func get() style {
	if s := current.Load(); s != nil {
		return *s
	}
	return style{}
}

// Command returns a command line of the sandbox with some arguments, of which the first is the name
// of the command.
func Command(args ...string) string { return get().command(args...) }

// Program returns the words that start this program again.
func Program() string { return get().name() }

// Run returns a command line in backquotes, for a sentence.
func Run(args ...string) string { return "`" + Command(args...) + "`" }

func (s style) command(args ...string) string {
	if s.plugin {
		if args[0] == "observe" {
			return strings.Join(append([]string{s.program}, args[1:]...), " ")
		}
		s.program = ""
	}
	if s.made && slices.Contains(makeTargets, args[0]) {
		more := strings.TrimSpace(strings.Join(args[1:], " ") + s.flags)
		if more != "" {
			more = " ARGS=" + ShellQuote(more)
		}
		return "make sandbox-" + args[0] + more
	}
	return s.name() + " " + strings.Join(args, " ") + s.flags
}

func (s style) name() string { return cmp.Or(s.program, "sandbox") }

// built matches the files that `go run` builds: in a temporary folder, or in the cache of builds.
var built = regexp.MustCompile(`/go-build\d*/|/[0-9a-f]{2}/[0-9a-f]{64}-d/[^/]+$`)

// programOf returns the words that start this program again. argv0 is its name as it was started,
// found the file of that name in PATH, and module its package with a version, if it has one.
func programOf(argv0, executable, found, module string) string {
	switch {
	case built.MatchString(filepath.ToSlash(executable)) && module != "":
		return "go run " + module
	case built.MatchString(filepath.ToSlash(executable)):
		return "go run ./sandbox"
	case found != "" && sameFile(found, executable):
		return filepath.Base(argv0)
	}
	return ShellWord(argv0)
}

func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// Error is an error whose message suggests commands. They are named when the message is read, so
// that it can be a variable.
type Error struct {
	// Format has one %s for each command.
	Format string
	// Commands are the arguments of [Run], separated by blanks.
	Commands []string
}

// Error returns the message.
func (e *Error) Error() string {
	var commands []any
	for _, c := range e.Commands {
		commands = append(commands, Run(strings.Fields(c)...))
	}
	return fmt.Sprintf(e.Format, commands...)
}

// ShellWord quotes a word for a POSIX shell if it contains a special character.
func ShellWord(word string) string {
	if strings.IndexFunc(word, func(r rune) bool {
		return !strings.ContainsRune("/._-+=:@%", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) < 0 {
		return word
	}
	return ShellQuote(word)
}

// ShellQuote quotes a word for a POSIX shell.
func ShellQuote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
