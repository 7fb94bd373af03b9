package process

import "time"

// Spec is a program to run as a process that outlives the command that starts it.
type Spec struct {
	// Name is the component's. It names the record and the log: lower-case letters, digits and dashes.
	Name string `json:"name"`
	// Path is the program, an absolute path to a binary (not to a script: its process would be the interpreter's). It is argv[0] too.
	Path string `json:"path"`
	// Args are the arguments without argv[0].
	Args []string `json:"args,omitempty"`
	// Env is the whole environment, as NAME=VALUE; nothing is inherited. It is written to the record as it is, and so
	// must hold no secrets: those belong into files.
	Env []string `json:"env,omitempty"`
	// Revision changes when the process must start anew though all the above is the same: a hash of the files that it
	// reads at its start.
	Revision string `json:"revision,omitempty"`
	// Grace is the time between SIGTERM and SIGKILL when the process is stopped; 0 is 3 s.
	Grace time.Duration `json:"grace,omitempty"`
}

// Process is one process of ours that ran when it was looked for.
type Process struct {
	// Name is the component's; of a stray, its program's.
	Name string
	// PID is the process id, and as every process here leads a group and a session of its own, theirs too.
	PID int
	// Started is when it was started, by the wall clock of that time.
	Started time.Time
	// Spec is what it was started with. Of a stray only Path and Args are known.
	Spec Spec

	identity identity
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
		return e.Name + " ended and wrote nothing"
	}
	return e.Name + " ended; the last that it wrote:\n" + e.Tail
}
