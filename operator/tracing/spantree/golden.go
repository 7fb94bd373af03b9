package spantree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Golden is a file with an expected tree.
type Golden struct {
	// Path of the file.
	Path string
	// Options say how the file is written, and have the values of the variables
	// that stand in it.
	Options RecordOptions
}

// Read gives the tree of the file with its variables filled in. Errors name the
// file, and those of syntax are of type *[ParseError].
func (g Golden) Read() (*Tree, error) {
	text, err := os.ReadFile(g.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the expected tree: %w; recording writes it", err)
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

// Update writes the file as [Update] says, makes it where there is none, and leaves
// one that matches untouched. The folder must be there.
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

// TB is what [Golden.Check] needs of a test: *testing.T has it, and package testing
// isn't linked into programs that use this one.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// Check matches a forest with the file and fails the test with an explanation, or
// updates the file where update is set. It reports whether the forest is as the
// file says.
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
		t.Errorf("the spans are not as %s says; -update records them\n%s", g.Path, result.ExplainWith(explain))
	}
	return result.OK()
}
