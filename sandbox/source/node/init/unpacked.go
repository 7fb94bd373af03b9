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

// placeUnpacked replaces marked layers with folders of the node image. A marked layer contains only
// the mark, a file with the name of the folder. If stacks is true, the layer becomes a link to the
// folder, otherwise a copy. If the node is killed during the replacement, it has no cluster yet,
// and the sandbox creates it again.
func placeUnpacked(snapshots, folders string, stacks bool) error {
	marks, err := filepath.Glob(filepath.Join(snapshots, "*", "fs", unpackedMark))
	if err != nil {
		return err
	}
	for _, mark := range marks {
		name, err := os.ReadFile(mark)
		if err != nil {
			return fmt.Errorf("reading the mark of a layer: %w", err)
		}
		if err := placeLayer(filepath.Dir(mark), filepath.Join(folders, filepath.Base(strings.TrimSpace(string(name)))), stacks); err != nil {
			return fmt.Errorf("replacing the layer with %s: %w", name, err)
		}
	}
	return nil
}

// placeLayer replaces layer with a link to folder, or with a copy of it.
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

// overlaysStack reports whether the folder lower can be the lower layer of an overlay file system
// with its upper layer in state. containerd mounts linked layers in this way. The kernel allows two
// levels of overlay file systems, and the node's root is the first. The mount fails if the engine's
// own storage is an overlay file system too.
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
