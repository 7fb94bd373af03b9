package cause

import (
	"fmt"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Exit is the exit of a program, as an error of one line.
type Exit struct {
	// Name is the name of the program's log.
	Name string
	// Line is the line of the log that explains the exit; empty if the log is.
	Line string
	// Remedy is set if it is known: for causes in the machine and in sandbox.yaml.
	Remedy string
}

// Explain returns the reason for an exit as found in the log of the program.
func Explain(name, log string) *Exit {
	e := &Exit{Name: name, Line: Of(log)}
	if e.Remedy = Remedy(e.Line); e.Remedy != "" {
		return e
	}
	for _, r := range remedies {
		if strings.Contains(log, r.words) {
			e.Remedy = r.remedy
			break
		}
	}
	return e
}

// Error returns the line and the remedy.
func (e *Exit) Error() string {
	switch {
	case e.Line == "":
		return e.Name + " exited without output"
	case e.Remedy != "":
		return fmt.Sprintf("%s exited: %s; %s", e.Name, e.Line, e.Remedy)
	}
	return fmt.Sprintf("%s exited: %s; see %s", e.Name, e.Line, hint.Run("logs", e.Name))
}

// podOnly is the remedy for a program that reads the files of a Pod's service account.
const podOnly = "the operator works only in a Pod: use --cluster=kind, or read the kubeconfig too (ctrl.GetConfig)"

// remedies maps error messages of the system and of controller-runtime to remedies.
var remedies = []struct{ words, remedy string }{
	{"no space left on device", state.RoomRemedy},
	{"disk quota exceeded", state.RoomRemedy},
	{"read-only file system", state.FolderRemedy},
	{"permission denied", state.FolderRemedy},
	{"too many open files", "raise the limit (`ulimit -n`)"},
	{"cannot allocate memory", "free memory: the sandbox needs 2 GiB"},
	{"unable to find leader election namespace", "disable leader election in operator.embedded.args in sandbox.yaml, for example with --leader-elect=false"},
	{"unable to load in-cluster configuration", podOnly},
	{"open /var/run/secrets/kubernetes.io/serviceaccount/", podOnly},
	{"address already in use", "stop the program that listens on that port"},
}
