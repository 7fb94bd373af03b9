//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	unpackedDir  = "/kind/unpacked"
	unpackedMark = ".unpacked"
	snapshotsDir = "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots"
)

// placeUnpacked puts folders that the node image carries in the place of unpacked layers that hold nothing but a mark: a file which names
// the folder. A layer becomes a link where overlay file systems can be stacked, as in most engines, and else a copy. A node that is
// killed meanwhile has no cluster yet, and is made anew.
func placeUnpacked(snapshots, folders string, stacks bool) error {
	marks, err := filepath.Glob(filepath.Join(snapshots, "*", "fs", unpackedMark))
	if err != nil {
		return err
	}
	for _, mark := range marks {
		name, err := os.ReadFile(mark)
		if err != nil {
			return fmt.Errorf("reading which layer to place: %w", err)
		}
		if err := placeLayer(filepath.Dir(mark), filepath.Join(folders, filepath.Base(strings.TrimSpace(string(name)))), stacks); err != nil {
			return fmt.Errorf("placing layer %s: %w", name, err)
		}
	}
	return nil
}

func placeLayer(layer, folder string, stacks bool) error {
	if _, err := os.Stat(folder); err != nil {
		return err
	}
	if err := os.RemoveAll(layer); err != nil {
		return err
	}
	if stacks {
		return os.Symlink(folder, layer)
	}
	return os.CopyFS(layer, os.DirFS(folder))
}

// overlaysStack tells whether a folder of the node's root can be below one of its /var in an overlay file system, as containerd will
// mount them. The kernel stacks two, and refuses where the engine's own storage is one already.
func overlaysStack(lower, state string) bool {
	dir, err := os.MkdirTemp(state, "stack-")
	if err != nil {
		return false
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"upper", "work", "merged"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			return false
		}
	}
	merged := filepath.Join(dir, "merged")
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work", lower, dir, dir)
	return syscall.Mount("overlay", merged, "overlay", 0, options) == nil && syscall.Unmount(merged, 0) == nil
}
