package state

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// other is the uid of another user, and otherGroup a group that is not the test's.
const other, otherGroup = 12345, 23456

// Nothing in a folder that others can change is read.
func TestOpenAndCachePathRefuseFoldersOfOthers(t *testing.T) {
	chown := func(uid, gid int, parts ...string) func(string) error {
		return func(folder string) error {
			return os.Lchown(filepath.Join(append([]string{folder}, parts...)...), uid, gid)
		}
	}
	chmod := func(mode os.FileMode, parts ...string) func(string) error {
		return func(folder string) error { return os.Chmod(filepath.Join(append([]string{folder}, parts...)...), mode) }
	}
	link := func(folder string) error {
		return errors.Join(os.Remove(filepath.Join(folder, "kubeconfig")), os.Symlink("/etc/hostname", filepath.Join(folder, "kubeconfig")), os.Lchown(filepath.Join(folder, "kubeconfig"), other, otherGroup))
	}
	both := func(calls ...func(string) error) func(string) error {
		return func(folder string) (err error) {
			for _, call := range calls {
				err = errors.Join(err, call(folder))
			}
			return err
		}
	}
	for name, test := range map[string]struct {
		change func(folder string) error
		want   string // empty if the folder is accepted
	}{
		"own":                             {chmod(0o700), ""},
		"readable":                        {chmod(0o755), ""},
		"another owner":                   {chown(other, -1), "belongs to another user"},
		"writable by all":                 {chmod(0o777), "is writable by other users"},
		"writable, with the sticky bit":   {chmod(0o777 | os.ModeSticky), "is writable by other users"},
		"writable by the group":           {chmod(0o770), "is writable by other users"},
		"another owner of the parent":     {chown(other, -1, ".."), "belongs to another user"},
		"a writable parent":               {chmod(0o777, ".."), "is writable by other users"},
		"a parent that a group can write": {both(chown(-1, otherGroup, ".."), chmod(0o775, "..")), "is writable by other users"},
		"a parent of the own group":       {chmod(0o775, ".."), ""},
		"a sticky parent":                 {chmod(0o777|os.ModeSticky, ".."), ""},
		"a user namespace's parent":       {chown(overflowUID, -1, ".."), ""},
		"a planted kubeconfig":            {chown(other, -1, "kubeconfig"), "kubeconfig belongs to another user"},
		"a writable kubeconfig":           {chmod(0o666, "kubeconfig"), "kubeconfig is writable by other users"},
		"a kubeconfig of the own group":   {chmod(0o660, "kubeconfig"), ""},
		"a kubeconfig of another group":   {both(chown(-1, otherGroup, "kubeconfig"), chmod(0o660, "kubeconfig")), "kubeconfig is writable by other users"},
		"a planted link":                  {link, "kubeconfig belongs to another user"},
		"a planted folder":                {chown(other, -1, "pki"), "pki belongs to another user"},
		"a planted key":                   {chown(other, -1, "pki", "ca.key"), "ca.key belongs to another user"},
		"a writable folder":               {chmod(0o777, "pki"), "pki is writable by other users"},
		"a missing folder":                {os.RemoveAll, ""},
		"a missing folder in a writable":  {both(os.RemoveAll, chmod(0o777, "..")), "is writable by other users"},
	} {
		for kind, open := range map[string]func(folder string) error{
			"Open": func(folder string) error { _, err := Open(folder); return err },
			"CachePath": func(folder string) error {
				t.Setenv("XDG_CACHE_HOME", filepath.Dir(folder))
				_, err := CachePath()
				return err
			},
			"Open of a link": func(folder string) error {
				link := filepath.Join(t.TempDir(), "link")
				if err := os.Symlink(folder, link); err != nil {
					return err
				}
				if _, err := os.Stat(link); err != nil {
					return trust(folder, FolderRemedy)
				}
				_, err := Open(link)
				return err
			},
		} {
			folder := filepath.Join(t.TempDir(), "parent", Product)
			put(t, filepath.Join(folder, "kubeconfig"))
			put(t, filepath.Join(folder, recordFile))
			put(t, filepath.Join(folder, "pki", "ca.key"))
			if err := test.change(folder); errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
				t.Logf("%s: only root can create files of other users", name)
				continue
			} else if err != nil {
				t.Fatal(err)
			}
			err := open(folder)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%s of a folder, %s: %v, want %q", kind, name, err, test.want)
			}
			if err != nil && !strings.Contains(err.Error(), "--state-dir") && !strings.Contains(err.Error(), "XDG_CACHE_HOME") {
				t.Errorf("%s of a folder, %s: %v has no remedy", kind, name, err)
			}
		}
	}
	t.Run("a record that is a link", func(t *testing.T) {
		dir := open(t)
		if err := os.Symlink("/etc/hostname", filepath.Join(dir.Path, recordFile)); err != nil {
			t.Fatal(err)
		}
		if _, err := dir.Load(); err == nil || !strings.Contains(err.Error(), "symbolic links") {
			t.Errorf("Load of a symbolic link = %v, want an error", err)
		}
	})
}
