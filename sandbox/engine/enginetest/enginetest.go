// Package enginetest provides fake container engines for tests.
package enginetest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Fakes is a PATH that contains only the engines that a test adds.
type Fakes struct {
	t      *testing.T
	folder string
}

// New sets PATH and the variables that engine.Detect reads, so the test cannot run in parallel.
func New(t *testing.T) Fakes {
	t.Helper()
	f := Fakes{t: t, folder: t.TempDir()}
	t.Setenv("PATH", f.folder)
	t.Setenv("KIND_EXPERIMENTAL_PROVIDER", "")
	t.Setenv("CONTAINERS_CONF", "")
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	return f
}

// Engine adds an engine: a shell script that records its arguments and then runs body. In body,
// "$*" is the command line and $FAKE is a folder of its own.
func (f Fakes) Engine(name, body string) {
	f.t.Helper()
	own := filepath.Join(f.folder, "of-"+name)
	if err := os.MkdirAll(own, 0o755); err != nil {
		f.t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\nPATH=/usr/bin:/bin\nFAKE=%s\necho \"$*\" >> \"$FAKE/calls\"\n%s\n", own, body)
	if err := os.WriteFile(filepath.Join(f.folder, name), []byte(script), 0o755); err != nil {
		f.t.Fatal(err)
	}
}

// Calls returns the command lines of all calls of an engine.
func (f Fakes) Calls(name string) []string {
	f.t.Helper()
	data, err := os.ReadFile(filepath.Join(f.folder, "of-"+name, "calls"))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

// Called reports whether any call of the engine has this prefix.
func (f Fakes) Called(name, prefix string) bool {
	f.t.Helper()
	return slices.ContainsFunc(f.Calls(name), func(line string) bool { return strings.HasPrefix(line, prefix) })
}

// File returns the path of a file in the folder of an engine.
func (f Fakes) File(name, file string) string { return filepath.Join(f.folder, "of-"+name, file) }

// Write writes a file into the folder of an engine.
func (f Fakes) Write(name, file, content string) {
	f.t.Helper()
	if err := os.WriteFile(f.File(name, file), []byte(content), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// WantError fails the test unless err has one line that contains every word.
func WantError(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("got no error, want one with %q", words)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q has several lines", err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not contain %q", err, word)
		}
	}
}
