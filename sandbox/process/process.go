package process

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// defaultGrace is how long a process may take to end by itself where its Spec says nothing.
const defaultGrace = 3 * time.Second

// Spec is a program to run as a process that outlives the command that starts it.
type Spec struct {
	// Name is the component's. It names the record and the log: lower-case letters, digits and dashes.
	Name string `json:"name"`
	// Path is the program: the absolute path of a binary (not of a script: its process would be the interpreter's). It is argv[0] too.
	Path string `json:"path"`
	// Args are the arguments without argv[0], in UTF-8. Everybody on the machine can read them, as any program's.
	Args []string `json:"args,omitempty"`
	// Env is the whole environment, as NAME=VALUE; nothing is inherited, and nil is an empty one. It is written to the record as it
	// is, and so must hold no secrets: those belong into files.
	Env []string `json:"env,omitempty"`
	// Revision changes when the process must start anew though all the above is the same: a hash of the files that it
	// reads at its start.
	Revision string `json:"revision,omitempty"`
	// Grace is the time between SIGTERM and SIGKILL when the process is stopped; 0 is 3 s.
	Grace time.Duration `json:"grace,omitempty"`
}

// argv is what the system shows as the arguments of a process that runs as s says.
func (s Spec) argv() []string { return append([]string{s.Path}, s.Args...) }

// same tells whether a process that was started as s says need not be started anew for other.
func (s Spec) same(other Spec) bool {
	return s.Path == other.Path && s.Revision == other.Revision && slices.Equal(s.Args, other.Args) && slices.Equal(s.Env, other.Env)
}

// check finds what could not be started, or not be recognised later.
func (s Spec) check() error {
	if err := checkName(s.Name); err != nil {
		return err
	}
	if !filepath.IsAbs(s.Path) {
		return fmt.Errorf("starting %s: the program's path %q is not absolute", s.Name, s.Path)
	}
	for _, arg := range s.argv() {
		if !utf8.ValidString(arg) || strings.ContainsRune(arg, 0) {
			return fmt.Errorf("starting %s: the argument %q is not UTF-8 text", s.Name, arg)
		}
	}
	for _, variable := range s.Env {
		if name, _, ok := strings.Cut(variable, "="); !ok || name == "" || !utf8.ValidString(variable) || strings.ContainsRune(variable, 0) {
			return fmt.Errorf("starting %s: the environment has %q, which is not NAME=VALUE in UTF-8", s.Name, variable)
		}
	}
	return nil
}

var names = regexp.MustCompile(`^[a-z0-9-]+$`)

func checkName(name string) error {
	if !names.MatchString(name) {
		return fmt.Errorf("the process name %q must be lower-case letters, digits and dashes", name)
	}
	return nil
}

// Process is a process of ours that ran when it was looked for. It may be used by several goroutines at once.
type Process struct {
	// Name is the component's; of a stray, its program's.
	Name string
	// PID is the process id, and as every process here leads a group and a session of its own, theirs too.
	PID int
	// Started is when it was started, by the wall clock of that time.
	Started time.Time
	// Spec is what it was started with. Of a stray only Name, Path and Args are known.
	Spec Spec
	// Stopped is whether it was stopped by a signal (SIGSTOP, SIGTSTP), and so does nothing until SIGCONT.
	Stopped bool

	identity identity
	logStart int64 // where in its log it began to write
	searched bool  // found by its arguments: its record does not name it
}

// running tells whether the process still runs. It has been recognised once, so that its arguments need not be compared again:
// a process that is about to end has none.
func (p *Process) running() (bool, error) {
	now, err := look(p.PID)
	if err != nil {
		return false, fmt.Errorf("looking at %s, process %d: %w", p.Name, p.PID, err)
	}
	return now != nil && now.live() && now.identity == p.identity, nil
}

// DiedError says that a process which was waited for does not run.
type DiedError struct {
	// Name is the component's.
	Name string
	// Tail is the last lines of its log since its start; empty where it wrote none.
	Tail string
}

// Error names the process, with what it wrote last.
func (e *DiedError) Error() string {
	if e.Tail == "" {
		return e.Name + " does not run and has written nothing since it was started"
	}
	return e.Name + " does not run; the last that it wrote:\n" + e.Tail
}
