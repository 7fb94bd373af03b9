package standin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v4/process"
	"k8s.io/apimachinery/pkg/util/wait"

	processes "github.com/operator-tracing/sandbox/sandbox/process"
)

const (
	// grace is the time between SIGTERM and SIGKILL for the processes of a command.
	grace = 5 * time.Second
	// poll is the interval between checks whether they have ended.
	poll = 20 * time.Millisecond
)

// message is what a keeper reads from its standard input.
type message struct {
	Operator *processes.Spec `json:"operator,omitempty"` // the first message
	PID      int             `json:"pid,omitempty"`      // of the command
	Ended    bool            `json:"ended,omitempty"`    // the command has ended; another process can get its PID
	Done     bool            `json:"done,omitempty"`     // the caller restored the operator
}

// Keeper is the second process. Its methods are not safe for concurrent use.
type Keeper struct {
	process *exec.Cmd
	input   io.WriteCloser
}

// StartKeeper starts a program that calls [Keep]. It has a session of its own, so that no signal of the
// terminal reaches it.
func StartKeeper(program string, args []string, operator processes.Spec) (*Keeper, error) {
	k := &Keeper{process: exec.Command(program, args...)} //nolint:noctx // It outlives this process.
	k.process.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var err error
	if k.input, err = k.process.StdinPipe(); err != nil {
		return nil, fmt.Errorf("starting the keeper: %w", err)
	}
	if err := k.process.Start(); err != nil {
		return nil, fmt.Errorf("starting the keeper: %w", err)
	}
	if err := k.send(message{Operator: &operator}); err != nil {
		return nil, errors.Join(err, k.Dismiss())
	}
	return k, nil
}

// Watch makes the keeper end the command's processes before it starts the operator.
func (k *Keeper) Watch(pid int) error { return k.send(message{PID: pid}) }

// Unwatch tells the keeper that the command has ended, so it ends no other process that has the same
// PID by then. Call it as soon as the command has ended.
func (k *Keeper) Unwatch() error { return k.send(message{Ended: true}) }

// Dismiss ends the keeper without a start of the operator.
func (k *Keeper) Dismiss() error {
	err := k.send(message{Done: true})
	return errors.Join(err, k.input.Close(), k.process.Wait())
}

func (k *Keeper) send(m message) error {
	if err := json.NewEncoder(k.input).Encode(m); err != nil {
		return fmt.Errorf("writing to the keeper: %w", err)
	}
	return nil
}

// Keep waits until the process that writes to in ends. It then ends the processes of the command and
// calls restore, unless that process has dismissed it or ended before its first message.
func Keep(ctx context.Context, in io.Reader, restore func(context.Context, processes.Spec) error) error {
	var last message
	messages := json.NewDecoder(in)
	for {
		var m message
		if err := messages.Decode(&m); err != nil {
			break // The other process has ended, perhaps in the middle of a message.
		}
		if m.Operator != nil {
			last.Operator = m.Operator
		}
		last.PID, last.Ended, last.Done = max(last.PID, m.PID), last.Ended || m.Ended, last.Done || m.Done
	}
	if last.Done || last.Operator == nil {
		return nil
	}
	if last.PID != 0 && !last.Ended {
		if err := End(ctx, last.PID); err != nil {
			return err
		}
	}
	return restore(ctx, *last.Operator)
}

// End ends a process and all its descendants: with SIGTERM, and after five seconds with SIGKILL. It
// returns nil if they do not run.
func End(ctx context.Context, pid int) error {
	tree := treeOf(pid)
	signal := func(s syscall.Signal) {
		for _, p := range tree {
			_ = p.SendSignal(s) // It may have ended.
		}
	}
	ended := func(context.Context) (bool, error) {
		for _, p := range tree {
			if running, err := p.IsRunning(); err == nil && running && !isZombie(p) {
				return false, nil
			}
		}
		return true, nil
	}
	signal(syscall.SIGTERM)
	err := wait.PollUntilContextTimeout(ctx, poll, grace, true, ended)
	if wait.Interrupted(err) && ctx.Err() == nil {
		signal(syscall.SIGKILL)
		err = wait.PollUntilContextTimeout(ctx, poll, grace, true, ended)
	}
	if err != nil {
		return fmt.Errorf("ending process %d and its descendants: %w", pid, err)
	}
	return nil
}

func isZombie(p *process.Process) bool {
	status, err := p.Status()
	return err == nil && len(status) > 0 && status[0] == process.Zombie
}

// treeOf returns a process and its descendants, each before its children.
func treeOf(pid int) []*process.Process {
	p, err := process.NewProcess(int32(pid)) //nolint:gosec // A pid fits.
	if err != nil {
		return nil // It has ended.
	}
	tree := []*process.Process{p}
	for i := 0; i < len(tree); i++ {
		children, _ := tree[i].Children() // An error means that it has none, or has ended.
		tree = append(tree, children...)
	}
	return tree
}
