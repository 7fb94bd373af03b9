package embedded

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

const fromSnapshot = "started from a snapshot"

// TestUpFromASnapshot starts the sandbox without and with a snapshot of etcd. Both have the same
// objects, and no common secret. A damaged snapshot is replaced.
func TestUpFromASnapshot(t *testing.T) {
	folder := cacheWithoutSnapshots(t)
	s := newSandbox(t, "XDG_CACHE_HOME="+folder)
	if out := s.up(); strings.Contains(out, fromSnapshot) {
		t.Errorf("the first up has a snapshot:\n%s", out)
	}
	objects, keys := s.comparable(), s.keys()
	s.down()
	if out := s.up(); !strings.Contains(out, fromSnapshot) {
		t.Errorf("the second up has no snapshot:\n%s", out)
	}
	if diff := cmp.Diff(objects, s.comparable()); diff != "" {
		t.Errorf("objects (-without a snapshot +with it):\n%s", diff)
	}
	for name, content := range s.keys() {
		if content == keys[name] {
			t.Errorf("both sandboxes have the same %s", name)
		}
	}
	s.wantTrace("from-a-snapshot")
	if out := s.up(); strings.Contains(out, fromSnapshot) {
		t.Errorf("an up of a running sandbox restored a snapshot:\n%s", out)
	}
	s.down()

	files, err := filepath.Glob(filepath.Join(folder, state.Product, cache.Snapshots, "*", "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("after down, the snapshots are %q, %v; want one", files, err)
	}
	truncate(t, files[0], 1000)
	if out := s.up(); !strings.Contains(out, "Discarded a snapshot") || strings.Contains(out, fromSnapshot) {
		t.Errorf("up does not report that it discarded a damaged snapshot:\n%s", out)
	}
	s.down()
	if out := s.up(); !strings.Contains(out, fromSnapshot) || strings.Contains(out, "Discarded") {
		t.Errorf("the damaged snapshot was not replaced:\n%s", out)
	}
}

// cacheWithoutSnapshots returns a cache folder with the user's programs.
func cacheWithoutSnapshots(t *testing.T) string {
	t.Helper()
	base, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, state.Product), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{cache.Programs, cache.Operator} {
		if err := os.Symlink(filepath.Join(base, state.Product, name), filepath.Join(folder, state.Product, name)); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// comparable returns the names of all objects, and the content of the objects in a snapshot. Names
// of Pods and EndpointSlices are random, and the names of trust bundles have a hash of the
// authority.
func (s *sandbox) comparable() map[string]any {
	s.T.Helper()
	found := map[string]any{}
	for name, content := range s.objects() {
		kind, _, _ := strings.Cut(name, " ")
		switch kind {
		case "pods", "endpointslices", "clustertrustbundles":
		case "customresourcedefinitions", "apiservices", "clusterroles", "clusterrolebindings", "roles", "rolebindings",
			"flowschemas", "priorityclasses", "prioritylevelconfigurations", "serviceaccounts":
			found[name] = s.withoutIdentity(content)
		default:
			found[name] = true
		}
	}
	return found
}

// withoutIdentity returns an object without the fields that differ between two creations.
func (s *sandbox) withoutIdentity(content string) map[string]any {
	s.T.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(content), &object); err != nil {
		s.T.Fatal(err)
	}
	metadata, _ := object["metadata"].(map[string]any)
	delete(metadata, "uid")
	delete(metadata, "creationTimestamp")
	return object
}

// keys returns the private keys of the sandbox, by name.
func (s *sandbox) keys() map[string]string {
	s.T.Helper()
	files, err := filepath.Glob(filepath.Join(state.Dir{Path: s.Dir}.PKI(), "*.key"))
	if err != nil || len(files) < 5 {
		s.T.Fatalf("the keys are %q, %v", files, err)
	}
	found := map[string]string{}
	for _, file := range files {
		found[filepath.Base(file)] = s.read(file)
	}
	return found
}
