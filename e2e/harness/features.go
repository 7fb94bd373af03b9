package harness

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
)

// Features collects the names of the features that ran. It is safe for concurrent use. The zero
// value is empty.
type Features struct {
	mu  sync.Mutex
	ran []string
}

// Ran records that a feature ran to its end, passed or failed, and was not skipped.
func (f *Features) Ran(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ran = append(f.ran, name)
}

// Compare compares the features that ran with a committed list: one feature per line, with # for
// comments. It returns an error if a feature of the list did not run, or if a feature is missing
// from the list.
func (f *Features) Compare(file string) error {
	listed, err := readFeatures(file)
	if err != nil {
		return fmt.Errorf("comparing the features that ran: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var problems []string
	for _, name := range listed {
		if !slices.Contains(f.ran, name) {
			problems = append(problems, "did not run: "+name)
		}
	}
	for _, name := range f.ran {
		if !slices.Contains(listed, name) {
			problems = append(problems, "is not listed: "+name)
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("comparing the features that ran with %s: %s", file, strings.Join(problems, "; "))
	}
	return nil
}

// readFeatures reads a list of features.
func readFeatures(file string) ([]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var listed []string
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			listed = append(listed, line)
		}
	}
	return listed, nil
}
