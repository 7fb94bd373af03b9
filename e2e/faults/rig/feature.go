package rig

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// Repository creates a folder that the end-to-end tests use as the repository: with its own
// expected trees, which can be changed, and a place for artifacts. It returns the folder, whose
// e2e/testdata has the trees.
func (s *Sandbox) Repository() string {
	s.T.Helper()
	folder := s.T.TempDir()
	if err := os.CopyFS(filepath.Join(folder, "e2e", "testdata"), os.DirFS(filepath.Join(root, "e2e", "testdata"))); err != nil {
		s.T.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "go.work"), nil, 0o644); err != nil {
		s.T.Fatal(err)
	}
	return folder
}

// Tests runs the real end-to-end tests on the sandbox, as if in a repository, with the given flags
// of their binary. It returns their output and their exit code.
func (s *Sandbox) Tests(repository string, flags ...string) (said string, code int) {
	s.T.Helper()
	tests, err := buildTests()
	if err != nil {
		s.T.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.T.Context(), endLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, tests, append([]string{"-test.v"}, flags...)...)
	cmd.Dir = filepath.Join(repository, "e2e")
	cmd.Env = slices.Concat(os.Environ(), s.Env, []string{"SANDBOX_NAME=" + s.Name, "SANDBOX_STATE_DIR=" + s.Dir, "E2E_SANDBOX=" + program, "CI="})
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		s.T.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}
