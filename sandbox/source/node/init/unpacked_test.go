//go:build linux

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// marked makes a snapshot that holds a mark, one that holds an ordinary layer, and the folder that the mark names.
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
		for range 2 { // The second time there is nothing left to place.
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
			t.Errorf("the layer is a link: %t, want %t", linked, stacks)
		}
		if got := read(t, filepath.Join(layer, "bin", "alias")); got != "elf" {
			t.Errorf("the program is %q", got)
		}
		if info, err := os.Stat(filepath.Join(layer, "bin", "coredns")); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("the program can't be run: %v (%v)", info, err)
		}
		if _, err := os.Stat(filepath.Join(layer, unpackedMark)); !os.IsNotExist(err) {
			t.Errorf("the mark is there still: %v", err)
		}
		if got := read(t, filepath.Join(snapshots, "2", "fs", "pause")); got != "pause" {
			t.Errorf("another layer became %q", got)
		}
	}
}

func TestPlaceUnpackedNamesTheFolderThatIsMissing(t *testing.T) {
	snapshots, folders := marked(t, "../other-2")
	err := placeUnpacked(snapshots, folders, true)
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), filepath.Join(folders, "other-2")) {
		t.Errorf("error %v", err)
	}
	if got := read(t, filepath.Join(snapshots, "1", "fs", unpackedMark)); got != "../other-2" {
		t.Errorf("the mark became %q", got)
	}
}
