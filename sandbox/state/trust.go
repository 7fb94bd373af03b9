package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// overflowUID is the owner of files of users outside of a user namespace. The folders above the
// sandbox's can have it.
const overflowUID = 65534

// checkedDepth is the depth below a folder to which its files and folders are checked.
const checkedDepth = 2

// trust returns an error if other users can change the files in a folder: the folder or a file in
// it is of another user, or others may write to it, or to a folder above it. A kubeconfig or a
// program that another user put there would run with the user's rights. Files of root are
// trusted. The folder need not exist.
func trust(folder, remedy string) error {
	err := trustAbove(folder)
	if err == nil {
		err = trustBelow(folder)
	}
	if err != nil {
		return fmt.Errorf("%w; %s", err, remedy)
	}
	return nil
}

// trustAbove checks the folders above, also those above the targets of symbolic links.
func trustAbove(folder string) error {
	for _, path := range []string{folder, existing(folder)} {
		for dir := path; dir != filepath.Dir(dir); {
			dir = filepath.Dir(dir)
			info, err := os.Lstat(dir)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			owner := ownerOf(info)
			link := info.Mode()&fs.ModeSymlink != 0
			switch {
			case owner != os.Geteuid() && owner != 0 && (owner != overflowUID || link):
				return fmt.Errorf("%s belongs to another user (uid %d)", dir, owner)
			case !link && info.Mode()&fs.ModeSticky == 0 && othersWrite(info):
				return fmt.Errorf("%s is writable by other users", dir)
			}
		}
	}
	return nil
}

// existing returns the real path of a folder or, if it does not exist, of a path in the nearest
// folder above that exists.
func existing(folder string) string {
	for dir := folder; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if resolved, err := filepath.EvalSymlinks(dir); err == nil {
			if dir == folder {
				return resolved
			}
			return filepath.Join(resolved, "below")
		}
	}
	return folder
}

func trustBelow(folder string) error {
	info, err := os.Lstat(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if owner := ownerOf(info); owner != os.Geteuid() {
		return fmt.Errorf("%s belongs to another user (uid %d, not %d)", folder, owner, os.Geteuid())
	}
	if info.Mode()&fs.ModeSymlink != 0 { // Of this user; the folders above its target are checked.
		if folder, err = filepath.EvalSymlinks(folder); err != nil {
			return err
		}
		return trustBelow(folder)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s is writable by other users; run chmod go-w %s after a look at its files", folder, folder)
	}
	return trustEntries(folder, checkedDepth)
}

func trustEntries(folder string, depth int) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, fs.ErrNotExist) {
		return nil // Open has the better error; or another command just deleted it.
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if owner := ownerOf(info); owner != os.Geteuid() && owner != 0 {
			return fmt.Errorf("%s belongs to another user (uid %d)", path, owner)
		}
		if (info.IsDir() || info.Mode().IsRegular()) && othersWrite(info) {
			return fmt.Errorf("%s is writable by other users", path)
		}
		if info.IsDir() && depth > 1 {
			if err := trustEntries(path, depth-1); err != nil {
				return err
			}
		}
	}
	return nil
}

// othersWrite reports whether other users may write. The user's own group is no other user: with
// the umask 002 it has one member.
func othersWrite(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	own := ok && int(stat.Gid) == os.Getegid()
	return info.Mode().Perm()&0o002 != 0 || info.Mode().Perm()&0o020 != 0 && !own
}

// ownerOf returns the uid of a file's owner, or -1 if it is unknown.
func ownerOf(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}
