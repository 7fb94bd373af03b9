// Package command has the parts that all commands of the sandbox share: the flags that select a
// sandbox, usage errors, argument checks and output helpers.
package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/ui"
	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

// LookTimeout limits commands that only read.
const LookTimeout = time.Minute

type usageError struct{ error }

// Usage marks an error as a mistake in the command line, for which the exit code is 2.
func Usage(err error) error { return usageError{err} }

// Usagef formats an error as fmt.Errorf does and marks it as a mistake in the command line.
func Usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// IsUsage reports whether an error is a mistake in the command line.
func IsUsage(err error) bool {
	var usage usageError
	return errors.As(err, &usage)
}

type verdictError struct{ error }

// Verdict marks an error as the negative result of a command that judges a trace or measurements,
// for which the exit code is 3. So scripts can distinguish it from a failure of the command.
func Verdict(err error) error { return verdictError{err} }

// Verdictf formats an error as fmt.Errorf does and marks it as a negative result.
func Verdictf(format string, args ...any) error { return verdictError{fmt.Errorf(format, args...)} }

// IsVerdict reports whether an error is the negative result of a command that judges.
func IsVerdict(err error) bool {
	var verdict verdictError
	return errors.As(err, &verdict)
}

type exitError struct{ error }

// Exit returns the error of a command that the user wanted to run, so that its exit code becomes the
// exit code of this program; nil for nil.
func Exit(err error) error {
	if err == nil {
		return nil
	}
	return exitError{err}
}

// ExitCode returns the exit code of an [Exit]. After a signal it is 128 and the signal's number, as in
// a shell.
func ExitCode(err error) (code int, ok bool) {
	var exit exitError
	if !errors.As(err, &exit) {
		return 0, false
	}
	ended, ok := errors.AsType[*exec.ExitError](exit.error)
	if !ok {
		return 0, false
	}
	if status, ok := ended.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), true
	}
	return ended.ExitCode(), true
}

// ExactArgs is cobra.ExactArgs with a usage error. The noun phrase what describes the arguments.
func ExactArgs(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return Usagef("expected %s, got %d", what, len(args))
		}
		return nil
	}
}

// OutputFlag adds the flag --output, for text or JSON, and checks its value before the command runs.
func OutputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "text", "output format: text or json")
	cmd.PreRunE = func(*cobra.Command, []string) error { return CheckOutput(*output, "text", "json") }
}

// CheckOutput returns a usage error if the value of --output is not a known form.
func CheckOutput(output string, known ...string) error {
	if slices.Contains(known, output) {
		return nil
	}
	return Usagef("--output=%s: use %s", output, OneOf(known))
}

// OneOf joins names for a reader: a, b or c.
func OneOf(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// WriteJSON writes a value as indented JSON.
func WriteJSON(out io.Writer, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return PrintJSON(out, data)
}

// PrintJSON writes a line of JSON, in which control and bidi characters are escaped as JSON does.
func PrintJSON(out io.Writer, data []byte) error {
	raw := ui.Raw(out)
	if _, err := raw.Write(format.EscapeJSON(data)); err != nil {
		return err
	}
	_, err := io.WriteString(raw, "\n")
	return err
}

// Row writes a row of a table for a tabwriter. It escapes the cells, so that none can break out of
// its row.
func Row(table io.Writer, cells ...string) {
	for i, cell := range cells {
		cells[i] = format.Escape(cell)
	}
	fmt.Fprintln(table, strings.Join(cells, "\t")) // Flush returns the error.
}

// EscapeLines escapes the control characters in each line of a text. Errors quote users, objects
// and servers, so their text can contain terminal sequences.
func EscapeLines(text string) string { return format.EscapeText(text) }
