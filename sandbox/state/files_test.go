package state

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// put writes a file and creates the folders above it.
func put(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// paths returns the results of all methods of Dir that return a path.
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
		t.Fatalf("methods of Dir return only %q, want at least 10 paths", found)
	}
	return found
}

// Remove deletes all files of a sandbox.
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
			t.Errorf("Remove = %q, %v; want no other entries", left, err)
		}
	}
	if _, err := os.Stat(dir.Path); !os.IsNotExist(err) {
		t.Errorf("Stat(folder) = %v, want that it does not exist", err)
	}
}

// Remove keeps files that do not belong to the sandbox.
func TestRemoveKeepsOtherFiles(t *testing.T) {
	dir := open(t)
	if err := dir.Save(Record{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	put(t, dir.Kubeconfig())
	put(t, filepath.Join(dir.Path, "notes", "today"))
	put(t, filepath.Join(dir.Path, "main.go"))
	left, err := dir.Remove()
	if diff := cmp.Diff([]string{"main.go", "notes"}, left); diff != "" || err != nil {
		t.Errorf("other entries (-want +got), error %v:\n%s", err, diff)
	}
	if _, err := os.Stat(filepath.Join(dir.Path, "notes", "today")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir.Kubeconfig()); !os.IsNotExist(err) {
		t.Errorf("Stat(kubeconfig) = %v, want that it does not exist", err)
	}
}

// Open refuses a folder with other files, even if one of them has the name of a file of a sandbox.
func TestOpenRefusesAFolderInUse(t *testing.T) {
	for _, name := range []string{"logs/today", "lock/file", ".profile"} {
		folder := t.TempDir()
		put(t, filepath.Join(folder, "main.go"))
		put(t, filepath.Join(folder, name))
		if _, err := Open(folder); err == nil || !strings.Contains(err.Error(), folder+": not a sandbox folder: ") || !strings.Contains(err.Error(), "it contains ") || !strings.Contains(err.Error(), "--state-dir") {
			t.Errorf("Open of a folder with %s = %v, want a refusal with a remedy", name, err)
		}
	}
}

// Processes can write to the folder after its deletion.
func TestOpenOfARecreatedFolder(t *testing.T) {
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
