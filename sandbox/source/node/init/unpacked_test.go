//go:build linux

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// marked creates a snapshot with a mark, a snapshot with an ordinary layer, and the folder dns-1.
// The mark contains name.
func marked(t *testing.T, name string) (snapshots, folders string) {
	t.Helper()
	snapshots, folders = t.TempDir(), t.TempDir()
	for path, content := range map[string]string{
		filepath.Join(snapshots, "1", "fs", unpackedMark): name,
		filepath.Join(snapshots, "2", "fs", "pause"):      "pause",
		filepath.Join(folders, "dns-1", "bin", "coredns"): "elf",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("coredns", filepath.Join(folders, "dns-1", "bin", "alias")); err != nil {
		t.Fatal(err)
	}
	return snapshots, folders
}

func TestPlaceUnpacked(t *testing.T) {
	for _, stacks := range []bool{true, false} {
		snapshots, folders := marked(t, "dns-1")
		for range 2 { // The second call finds no mark.
			if err := placeUnpacked(snapshots, folders, stacks); err != nil {
				t.Fatal(err)
			}
		}
		layer := filepath.Join(snapshots, "1", "fs")
		info, err := os.Lstat(layer)
		if err != nil {
			t.Fatal(err)
		}
		if linked := info.Mode()&os.ModeSymlink != 0; linked != stacks {
			t.Errorf("layer is a link = %t, want %t", linked, stacks)
		}
		if got := read(t, filepath.Join(layer, "bin", "alias")); got != "elf" {
			t.Errorf("content of the program = %q, want elf", got)
		}
		if info, err := os.Stat(filepath.Join(layer, "bin", "coredns")); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("Stat(program) = %v, %v, want mode 0755", info, err)
		}
		if _, err := os.Stat(filepath.Join(layer, unpackedMark)); !os.IsNotExist(err) {
			t.Errorf("Stat(mark): got error %v, want that it does not exist", err)
		}
		if got := read(t, filepath.Join(snapshots, "2", "fs", "pause")); got != "pause" {
			t.Errorf("content of the other layer = %q, want pause", got)
		}
	}
}

func TestPlaceUnpackedReportsAMissingFolder(t *testing.T) {
	snapshots, folders := marked(t, "../other-2")
	err := placeUnpacked(snapshots, folders, true)
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), filepath.Join(folders, "other-2")) {
		t.Errorf("placeUnpacked(missing folder): got error %v", err)
	}
	if got := read(t, filepath.Join(snapshots, "1", "fs", unpackedMark)); got != "../other-2" {
		t.Errorf("mark = %q, want it unchanged", got)
	}
}
