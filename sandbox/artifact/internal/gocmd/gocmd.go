// Package gocmd runs go commands and explains their errors.
package gocmd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
)

// Run runs `go build -v`, which prints every package that it compiles, and reports their
// number. All other lines are the compiler's messages and become part of the error.
func Run(cmd *exec.Cmd, report artifact.Report) error {
	lines, writer := io.Pipe()
	cmd.Stderr, cmd.Stdout = writer, writer
	messages := make(chan string)
	go func() {
		var said bytes.Buffer
		count := 0
		for scanner := bufio.NewScanner(lines); scanner.Scan(); {
			line := scanner.Text()
			switch {
			case isPackageLine(line):
				count++
				report.Say("%d packages compiled", count)
			case strings.HasPrefix(line, "go: downloading "):
				report.Say("downloading modules")
			default:
				fmt.Fprintln(&said, line)
			}
		}
		_, _ = io.Copy(io.Discard, lines) // A line too long for the scanner must not stop the build.
		messages <- said.String()
	}()
	err := cmd.Run()
	_ = writer.Close() // Closing an io.Pipe does not fail.
	said := <-messages
	if err == nil {
		return nil
	}
	if missing := NoGo(err); missing != nil {
		return missing
	}
	if strings.Contains(said, syscall.ENOSPC.Error()) {
		return fmt.Errorf("compiling: %w (or free space for Go itself: GOCACHE, GOTMPDIR)", cache.Remedy(syscall.ENOSPC))
	}
	if strings.Contains(said, "missing go.sum entry") {
		line, _, _ := strings.Cut(said, "\n")
		return fmt.Errorf("%w: %s; run `go mod tidy` in that module", err, strings.TrimSuffix(line, "; to add:"))
	}
	return fmt.Errorf("%w: %s", err, LastLines(said, 15))
}

// NoGo returns an error with a remedy if err is about a missing go command, and nil otherwise.
func NoGo(err error) error {
	if !errors.Is(err, exec.ErrNotFound) {
		return nil
	}
	return fmt.Errorf("%w; install Go in the version of go.mod: it is needed for builds that are not in the cache", err)
}

// ExitText returns the text that a failed command wrote to stderr.
func ExitText(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && len(exit.Stderr) > 0 {
		return errors.New(LastLines(string(exit.Stderr), 15))
	}
	return nil
}

func isPackageLine(line string) bool {
	return line != "" && !strings.ContainsAny(line, " :#\t")
}

// LastLines returns the last lines of a text, at most the given number.
func LastLines(text string, most int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}
