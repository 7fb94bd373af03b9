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

// defaultGrace is the time between SIGTERM and SIGKILL if the Spec sets none.
const defaultGrace = 3 * time.Second

// Spec describes a program that outlives the command that starts it.
type Spec struct {
	// Name is the name of the component, in lower-case letters, digits and dashes. It names the
	// record and the log.
	Name string `json:"name"`
	// Path is the absolute path of the binary, and also argv[0]. It must not be a script, which
	// would run as its interpreter.
	Path string `json:"path"`
	// Args are the arguments without argv[0], in UTF-8. Every user of the machine can read them.
	Args []string `json:"args,omitempty"`
	// Env is the whole environment, as NAME=VALUE. Nothing is inherited; nil is an empty
	// environment. The record contains it unchanged, so it must not contain secrets. Put secrets
	// into files.
	Env []string `json:"env,omitempty"`
	// Revision changes if the process must restart although all the fields above are equal. Use a
	// hash of the files that the program reads at its start.
	Revision string `json:"revision,omitempty"`
	// Grace is the time between SIGTERM and SIGKILL when the process is stopped (default 3 s).
	Grace time.Duration `json:"grace,omitempty"`
}

func (s Spec) argv() []string { return append([]string{s.Path}, s.Args...) }

// same reports whether a process that was started with s needs no restart for other.
func (s Spec) same(other Spec) bool {
	return s.Path == other.Path && s.Revision == other.Revision && slices.Equal(s.Args, other.Args) && slices.Equal(s.Env, other.Env)
}

// check returns an error if a process of s could not be started, or not be recognised later.
func (s Spec) check() error {
	if err := checkName(s.Name); err != nil {
		return err
	}
	if !filepath.IsAbs(s.Path) {
		return fmt.Errorf("starting %s: program path %q is not absolute", s.Name, s.Path)
	}
	for _, arg := range s.argv() {
		if !utf8.ValidString(arg) || strings.ContainsRune(arg, 0) {
			return fmt.Errorf("starting %s: argument %q is not UTF-8 text", s.Name, arg)
		}
	}
	for _, variable := range s.Env {
		if name, _, ok := strings.Cut(variable, "="); !ok || name == "" || !utf8.ValidString(variable) || strings.ContainsRune(variable, 0) {
			return fmt.Errorf("starting %s: environment variable %q is not NAME=VALUE in UTF-8", s.Name, variable)
		}
	}
	return nil
}

var names = regexp.MustCompile(`^[a-z0-9-]+$`)

func checkName(name string) error {
	if !names.MatchString(name) {
		return fmt.Errorf("invalid process name %q: want lower-case letters, digits and dashes", name)
	}
	return nil
}

// Process is a process of the sandbox that was running when it was found. It is safe for concurrent
// use.
type Process struct {
	// Name is the name of the component, or of the program if the process is a stray.
	Name string
	// PID is the process id. It is also the id of the process's group and session, which it leads.
	PID int
	// Started is the start time by the wall clock of that time.
	Started time.Time
	// Spec is the Spec that it was started with. A stray has only Name, Path and Args.
	Spec Spec
	// Stopped is true if a signal (SIGSTOP, SIGTSTP) suspended the process until SIGCONT.
	Stopped bool

	identity identity
	logStart int64 // offset in the log at the start of the process
	searched bool  // found by its arguments, not by the pid in its record
}

// running reports whether the process still runs. It does not compare the arguments again, because
// a process that is about to end has no arguments.
func (p *Process) running() (bool, error) {
	now, err := look(p.PID)
	if err != nil {
		return false, fmt.Errorf("inspecting %s, process %d: %w", p.Name, p.PID, err)
	}
	return now != nil && now.live() && now.identity == p.identity, nil
}

// DiedError reports that a process does not run although the caller waits for it.
type DiedError struct {
	// Name is the name of the component.
	Name string
	// Tail is the last lines of its log since its start. It is empty if the process wrote nothing.
	Tail string
}

// Error returns the name of the process and the end of its log.
func (e *DiedError) Error() string {
	if e.Tail == "" {
		return e.Name + " is not running and wrote nothing since its start"
	}
	return e.Name + " is not running; end of its log:\n" + e.Tail
}
