package rig

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the root of the repository, which Main finds.
var root string

// program is the sandbox's binary: the one that E2E_SANDBOX names, or one that Main builds.
var program string

// Main is the body of a TestMain: it builds the sandbox's program, runs it with the given
// arguments, so that the cache has everything that the tests need, and then runs the tests. It
// returns the exit code. With -short it runs nothing, and with -list it only lists.
func Main(m *testing.M, warm ...string) int {
	if given("-test.list") {
		return m.Run()
	}
	if given("-test.short") {
		fmt.Println("faults: skipped by -short, because these tests create clusters")
		return 0
	}
	dir, err := os.MkdirTemp("", "sandbox-faults-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "creating a folder for the program:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := build(dir, warm); err != nil {
		fmt.Fprintln(os.Stderr, "building the sandbox:", err)
		return 1
	}
	return m.Run()
}

func build(dir string, warm []string) error {
	ctx := context.Background()
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/operator-tracing/sandbox").Output()
	if err != nil {
		return fmt.Errorf("finding the repository: %w", err)
	}
	root = strings.TrimSpace(string(out))
	var commands []*exec.Cmd
	if program = os.Getenv("E2E_SANDBOX"); program == "" {
		program = filepath.Join(dir, "sandbox")
		commands = append(commands, exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", program, root+"/sandbox"))
	}
	if len(warm) > 0 {
		commands = append(commands, exec.CommandContext(ctx, program, warm...))
	}
	for _, cmd := range commands {
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("running %s: %w", cmd, err)
		}
	}
	return nil
}

// given reports whether a flag is on the command line. TestMain runs before flags are parsed.
func given(flag string) bool {
	return slices.ContainsFunc(os.Args[1:], func(a string) bool {
		name, value, _ := strings.Cut(a, "=")
		return name == flag && value != "false"
	})
}
