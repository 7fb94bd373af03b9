package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// runGuard is the guard's whole life. It gives the process's exit code.
func runGuard(root string, input io.Reader, output, log io.Writer) int {
	quietLibraries()
	// SIGTERM means the same as a closed pipe, and nothing more: it must not end what
	// cleans up. The others are for the tests.
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-terminated
		cancel()
	}()
	go func() {
		_, _ = io.Copy(io.Discard, input)
		cancel()
	}()
	w := &watch{root: root, log: log}
	upErr := w.ready(ctx)
	said := answer{Folder: w.folder}
	if upErr == nil {
		said.Program = w.program.path
	} else {
		said.Error = strings.ReplaceAll(upErr.Error(), "\n", "; ")
	}
	_ = json.NewEncoder(output).Encode(said) // Where nobody reads any more, the pipe from there is closed too.
	if upErr == nil {
		<-ctx.Done()
		endGroup()
	}
	if err := w.clean(context.Background()); err != nil {
		fmt.Fprintln(log, "e2e:", err)
		return 1
	}
	if upErr != nil {
		return 1
	}
	return 0
}

// endGroup asks the sandbox's commands that tests have left behind to end: one that
// goes on would undo what is cleaned up. This process is asked too, and knows.
func endGroup() {
	if syscall.Getpgrp() == os.Getpid() {
		_ = syscall.Kill(0, syscall.SIGTERM)
	}
}

// watch is what the guard has to clean up.
type watch struct {
	root string
	log  io.Writer

	folder  string
	program *program
	// owned tells that the sandbox is to be taken down; found is its status otherwise.
	owned bool
	found *Status
}

// ready sees to it that the sandbox is up. What it does is noted before it is done.
func (w *watch) ready(ctx context.Context) (err error) {
	if w.folder, err = os.MkdirTemp("", "e2e-"); err != nil {
		return fmt.Errorf("making a temporary folder: %w", err)
	}
	p, err := findProgram(ctx, w.root, w.folder)
	if err != nil {
		return err
	}
	status, err := p.status(ctx)
	if err != nil {
		return err
	}
	w.program = p
	switch status.State {
	case StateUp:
		w.found = &status
		return nil
	case StateDegraded:
		w.found = &status // It is somebody's: it is repaired and stays.
		fmt.Fprintln(w.log, "e2e: the sandbox is degraded; repairing it")
		err = p.up(ctx, w.log, operatorEnvArgs(status.OperatorEnv)...)
	default:
		w.owned = true
		fmt.Fprintln(w.log, "e2e: bringing a sandbox up, to be taken down afterwards (a first one builds Kubernetes)")
		err = p.up(ctx, w.log)
	}
	if err != nil {
		return err
	}
	if status, err = p.status(ctx); err == nil && status.State != StateUp {
		err = fmt.Errorf("running sandbox up: it succeeded, but the sandbox is %s: %s", status.State, status.Message)
	}
	return err
}

// clean removes what this run made, and leaves a sandbox that it found as it was.
func (w *watch) clean(ctx context.Context) error {
	var errs []error
	switch {
	case w.owned: // What is left of a failed up goes too: nobody else knows that it is ours.
		errs = append(errs, w.program.down(ctx, w.log))
	case w.found != nil:
		errs = append(errs, restore(ctx, w.program, *w.found))
	}
	if w.folder != "" {
		errs = append(errs, os.RemoveAll(w.folder))
	}
	return errors.Join(errs...)
}

// restore puts right what tests have left changed in a sandbox that they found.
func restore(ctx context.Context, p *program, found Status) error {
	ctx, cancel := context.WithTimeout(ctx, restoreLimit)
	defer cancel()
	status, err := p.status(ctx)
	if err == nil && status.State == StateDegraded {
		// A process that a test ended, for one.
		err = p.up(ctx, io.Discard, operatorEnvArgs(found.OperatorEnv)...)
	}
	if err != nil || status.State == StateDown { // Its user took it down.
		return err
	}
	c, err := connect(p, found, "")
	if err != nil {
		return err
	}
	defer c.close()
	_, own := splitEnvironment(found.OperatorEnv)
	if err := c.reset(ctx, own); err != nil {
		return fmt.Errorf("leaving the sandbox as it was: %w", err)
	}
	return Eventually(ctx, restoreLimit, "the end of the tests' namespaces", func(ctx context.Context) error {
		left, err := c.deleteScenes(ctx)
		if err == nil && left > 0 {
			err = fmt.Errorf("%d are there", left)
		}
		return err
	})
}
