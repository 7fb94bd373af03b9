package state

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// put writes a file, and the folders above it.
func put(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// paths are all that a Dir's methods name.
func paths(t *testing.T, dir Dir) []string {
	t.Helper()
	var found []string
	value := reflect.ValueOf(dir)
	for method, call := range value.Methods() {
		if method.Type.NumIn() == 1 && method.Type.NumOut() == 1 && method.Type.Out(0).Kind() == reflect.String {
			found = append(found, call.Call(nil)[0].String())
		}
	}
	if len(found) < 10 {
		t.Fatalf("the folder has only %q", found)
	}
	return found
}

// Whatever a sandbox has in its folder is gone with it.
func TestRemove(t *testing.T) {
	dir := open(t)
	if err := dir.Save(Record{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	unlock, err := dir.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	for _, path := range paths(t, dir) {
		put(t, filepath.Join(path, "deep", "file"))
	}
	for range 2 {
		if left, err := dir.Remove(); len(left) > 0 || err != nil {
			t.Errorf("%q are left, %v", left, err)
		}
	}
	if _, err := os.Stat(dir.Path); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
}

// What somebody else put into the folder is not lost with the sandbox.
func TestRemoveLeavesWhatIsNotTheSandboxs(t *testing.T) {
	dir := open(t)
	if err := dir.Save(Record{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	put(t, dir.Kubeconfig())
	put(t, filepath.Join(dir.Path, "notes", "today"))
	put(t, filepath.Join(dir.Path, "main.go"))
	left, err := dir.Remove()
	if diff := cmp.Diff([]string{"main.go", "notes"}, left); diff != "" || err != nil {
		t.Errorf("left (-want +got):\n%s%v", diff, err)
	}
	if _, err := os.Stat(filepath.Join(dir.Path, "notes", "today")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir.Kubeconfig()); !os.IsNotExist(err) {
		t.Errorf("the kubeconfig is still there: %v", err)
	}
}

// A folder that is somebody's is not a sandbox's, even if a part of it is called like one of a sandbox's.
func TestOpenRefusesAFolderInUse(t *testing.T) {
	for _, name := range []string{"logs/today", "lock/file", ".profile"} {
		folder := t.TempDir()
		put(t, filepath.Join(folder, "main.go"))
		put(t, filepath.Join(folder, name))
		if _, err := Open(folder); err == nil || !strings.Contains(err.Error(), folder+": it holds ") || !strings.Contains(err.Error(), ", and no sandbox: ") || !strings.Contains(err.Error(), "--state-dir") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// The folder was removed under a sandbox whose processes went on writing.
func TestOpenOfWhatIsLeftOfASandbox(t *testing.T) {
	folder := t.TempDir()
	put(t, filepath.Join(folder, "etcd", "member", "wal"))
	if _, err := Open(folder); err != nil {
		t.Error(err)
	}
}

func TestOpenOfASandboxsFolder(t *testing.T) {
	folder := t.TempDir()
	for _, write := range []func(Dir) error{
		func(d Dir) error { unlock, err := d.Lock(t.Context()); unlock(); return err },
		func(d Dir) error { put(t, filepath.Join(d.Path, "notes")); return nil },
		func(d Dir) error { return d.Save(Record{}) },
		func(d Dir) error { return os.Remove(filepath.Join(d.Path, "lock")) },
	} {
		dir, err := Open(folder)
		if err != nil {
			t.Fatal(err)
		}
		if err := write(dir); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(folder); err != nil {
		t.Error(err)
	}
}
