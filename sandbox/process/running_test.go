package process

import (
	"path/filepath"
	"slices"
	"testing"
)

func TestRunning(t *testing.T) {
	table := newTable(t)
	ensure(t, table, spec(t, table, "serve"))
	path := program(t)
	for folder, want := range map[string]bool{
		filepath.Dir(path): true, filepath.Dir(path) + "/": true, path: false, filepath.Join(filepath.Dir(path), "below"): false,
		filepath.Dir(path)[:len(filepath.Dir(path))-1]: false,
	} {
		found, err := Running(folder)
		if err != nil || slices.Contains(found, path) != want {
			t.Errorf("below %s run %q, %v; want this one among them: %t", folder, found, err, want)
		}
	}
}
