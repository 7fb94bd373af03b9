package spantree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Golden is a file with an expected tree.
type Golden struct {
	// Path is the path of the file.
	Path string
	// Options are the options for writing the file. They have the values of the variables in it.
	Options RecordOptions
}

// Read returns the tree of the file, with its variables replaced. Errors name the file. Syntax
// errors are of type *[ParseError].
func (g Golden) Read() (*Tree, error) {
	text, err := os.ReadFile(g.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the expected tree: %w; create it with -update", err)
	} else if err != nil {
		return nil, fmt.Errorf("reading the expected tree: %w", err)
	}
	tree, err := Parse(g.Path, string(text))
	if err != nil {
		return nil, fmt.Errorf("reading the expected tree: %w", err)
	}
	filled, err := tree.Fill(g.Options.Variables)
	if err != nil {
		return nil, fmt.Errorf("filling in the expected tree %s: %w", g.Path, err)
	}
	return filled, nil
}

// Update writes the result of [Update] to the file. It creates a missing file, and does not write a
// file that matches. The folder must exist.
func (g Golden) Update(got *Forest) error {
	text, err := os.ReadFile(g.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("updating the expected tree: %w", err)
	}
	updated, err := Update(g.Path, string(text), got, g.Options)
	if err != nil || updated == string(text) {
		return err
	}
	if err := os.WriteFile(g.Path, []byte(updated), 0o666); err != nil {
		return fmt.Errorf("updating the expected tree: %w", err)
	}
	return nil
}

// TB is the part of *testing.T that [Golden.Check] uses, so that programs that use this package do
// not link package testing.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// Check compares a forest with the file, and fails the test with an explanation if it does not
// match. If update is set, Check updates the file instead. It reports whether the forest matches
// the file.
func (g Golden) Check(t TB, got *Forest, update bool, explain ExplainOptions) bool {
	t.Helper()
	if update {
		if err := g.Update(got); err != nil {
			t.Errorf("%v", err)
			return false
		}
	}
	want, err := g.Read()
	if err != nil {
		t.Errorf("%v", err)
		return false
	}
	result := Match(want, got)
	if !result.OK() {
		t.Errorf("the spans differ from %s; run with -update to record them\n%s", g.Path, result.ExplainWith(explain))
	}
	return result.OK()
}
