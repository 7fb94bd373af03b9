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

// runReaper runs the reaper until it has cleaned up. It returns the exit code of the process.
func runReaper(root string, input io.Reader, output, log io.Writer) int {
	quietLibraries()
	// SIGTERM has the same effect as a closed pipe: it must not kill the reaper before the cleanup.
	// The other signals are for the tests.
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
	_ = json.NewEncoder(output).Encode(said) // Without a reader, the pipe from the tests is closed, too.
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

// endGroup asks the remaining commands of the sandbox to end, because they would undo the cleanup.
// This process also receives the signal, and ignores it.
func endGroup() {
	if syscall.Getpgrp() == os.Getpid() {
		_ = syscall.Kill(0, syscall.SIGTERM)
	}
}

// watch is the state that the reaper has to clean up.
type watch struct {
	root string
	log  io.Writer

	folder  string
	program *program
	// owned is true if the reaper takes the sandbox down. Otherwise found is its original status.
	owned bool
	found *Status
}

// ready creates or repairs the sandbox. It records each action before it starts.
func (w *watch) ready(ctx context.Context) (err error) {
	if w.folder, err = os.MkdirTemp("", "e2e-"); err != nil {
		return fmt.Errorf("creating a temporary folder: %w", err)
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
		w.found = &status // It has an owner: it is repaired and kept.
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

// clean removes the resources of this run, and restores a sandbox that it found.
func (w *watch) clean(ctx context.Context) error {
	var errs []error
	switch {
	case w.owned: // The rest of a failed up is removed, too.
		errs = append(errs, w.program.down(ctx, w.log))
	case w.found != nil:
		errs = append(errs, restore(ctx, w.program, *w.found))
	}
	if w.folder != "" {
		errs = append(errs, os.RemoveAll(w.folder))
	}
	return errors.Join(errs...)
}

// restore reverts the changes of tests to a sandbox that they found.
func restore(ctx context.Context, p *program, found Status) error {
	ctx, cancel := context.WithTimeout(ctx, restoreLimit)
	defer cancel()
	status, err := p.status(ctx)
	if err == nil && status.State == StateDegraded {
		// For example, a test can have ended a process.
		err = p.up(ctx, io.Discard, operatorEnvArgs(found.OperatorEnv)...)
	}
	if err != nil || status.State == StateDown { // The user took it down.
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
		left, err := c.deleteFixtures(ctx)
		if err == nil && left > 0 {
			err = fmt.Errorf("%d exist", left)
		}
		return err
	})
}
