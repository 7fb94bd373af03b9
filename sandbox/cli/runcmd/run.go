// Package runcmd has the command `sandbox run`, which runs a command in the place of the sandbox's
// operator.
package runcmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/embedded/detour"
	"github.com/operator-tracing/sandbox/sandbox/embedded/standin"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/process"
)

// limit limits the stop of the operator, and its start afterwards.
const limit = time.Minute

// New returns the command.
func New(shared *command.Shared) *cobra.Command {
	passed := true
	cmd := &cobra.Command{
		Use:   "run [--] COMMAND [ARGUMENT…]",
		Short: "Run a command, for example a debugger, in the place of the operator",
		Long: `run stops the operator of an embedded sandbox, runs a command in its place, and starts the operator again when the command ends,
even if run itself is killed. The command gets the operator's credentials (KUBECONFIG), environment, certificates and ports, so the
API server calls the webhooks of the operator that the command starts. The variables HOME and PATH are the shell's.

The operator's arguments, for example those with its ports, are appended to the command. An argument {} marks another place for
them. For dlv they follow "--". With --pass-args=false the command has to set the ports of the operator itself.

Other commands that change the sandbox, for example up, wait until the command ends. The exit code is the command's.
See docs/dev.md.`,
		Example: `  go run ./sandbox run -- go run ./cmd
  go run ./sandbox run -- dlv debug ./cmd
  go run ./sandbox run -- dlv debug --headless --listen=127.0.0.1:2345 ./cmd -- --zap-devel
  go run ./sandbox run -- sh -c 'go build -o manager ./cmd && exec ./manager "$@"' sh {}`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return command.Usagef("expected a command to run, for example: run -- go run ./cmd")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := shared.Attach()
			if err != nil {
				return err
			}
			if kind := run.Kind(); kind != component.Embedded {
				return fmt.Errorf("run works on embedded clusters, and the sandbox %s runs on %s; run `%s up --cluster=embedded --name=dev` and then `%s run --name=dev`",
					run.Name, kind, hint.Program(), hint.Program())
			}
			if _, err := exec.LookPath(args[0]); err != nil {
				return command.Usagef("finding the command: %w", err)
			}
			return replace(cmd, run, args, passed)
		},
	}
	cmd.Flags().SetInterspersed(false) // The flags of the command follow it.
	cmd.Flags().BoolVar(&passed, "pass-args", true, "append the operator's arguments to the command")
	return cmd
}

// replace stops the operator, runs a command, and starts the operator again whatever happens.
func replace(cmd *cobra.Command, run *lifecycle.Sandbox, args []string, passed bool) (err error) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	ctx := context.WithoutCancel(cmd.Context()) // The command decides what Ctrl-C means.

	unlock, err := run.Lock(cmd.Context(), func(format string, arguments ...any) { cmd.PrintErrf(format+"\n", arguments...) })
	if err != nil {
		return err
	}
	defer unlock()
	operator, err := detour.New(run.Dir, run.Record.ComponentPorts)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	keeper, err := standin.StartKeeper(self, []string{KeeperName, "--name=" + run.Name, "--state-dir=" + run.Dir.Path}, operator.Spec())
	if err != nil {
		return err
	}
	defer func() {
		cmd.PrintErrln("Starting the sandbox's operator again.")
		if restored := restore(ctx, operator); restored != nil {
			err = restored
		}
		_ = keeper.Dismiss() // If it failed, there is nothing left to do for it.
	}()
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := operator.Stop(limited); err != nil {
		return err
	}
	child := commandOf(args, operator.Spec(), passed)
	cmd.PrintErrf("Running in the place of the sandbox's operator: %s\n", strings.Join(child.Args, " "))
	return wait(ctx, child, keeper, signals)
}

func restore(ctx context.Context, operator *detour.Operator) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := operator.Restore(ctx); err != nil {
		return fmt.Errorf("%w; run %s", err, hint.Run("up"))
	}
	return nil
}

// commandOf returns a command with the environment of the operator, and its arguments if they are passed.
func commandOf(args []string, operator process.Spec, passed bool) *exec.Cmd {
	child := exec.Command(args[0], args[1:]...) //nolint:noctx // Its caller ends it by signals.
	if passed {
		child.Args = standin.Arguments(args, operator.Args)
	}
	child.Env = standin.Environment(os.Environ(), operator.Env)
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr //nolint:forbidigo // The command uses the terminal itself.
	return child
}

// wait runs the command and passes signals on. On a terminal the command gets Ctrl-C itself.
func wait(ctx context.Context, child *exec.Cmd, keeper *standin.Keeper, signals <-chan os.Signal) error {
	if err := child.Start(); err != nil {
		return fmt.Errorf("starting the command: %w", err)
	}
	if err := keeper.Watch(child.Process.Pid); err != nil {
		return errors.Join(err, standin.End(ctx, child.Process.Pid), child.Wait())
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	for {
		select {
		case err := <-ended:
			_ = keeper.Unwatch() // If the keeper was killed, there is nothing left to tell it.
			return command.Exit(err)
		case s := <-signals:
			if s == os.Interrupt && term.IsTerminal(int(os.Stdin.Fd())) {
				continue
			}
			if s == os.Interrupt {
				_ = child.Process.Signal(s) // It may have ended.
				continue
			}
			if err := standin.End(ctx, child.Process.Pid); err != nil {
				return err
			}
		}
	}
}
