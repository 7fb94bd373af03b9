package snapshot

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
)

func entry(key, value string) Entry { return Entry{Key: []byte(key), Value: []byte(value)} }

const ownKey, otherKey = "0123456789abcdef", "fedcba9876543210"

var some = []Entry{entry(kinds[0]+"heads.dummy.example.com", "{}"), entry(kinds[3]+"view", "k8s\x00\xff")}

func newStore(t *testing.T) Store {
	t.Helper()
	return Store{Cache: t.TempDir(), Key: ownKey}
}

func mustSave(t *testing.T, s Store) {
	t.Helper()
	if err := s.Save(some); err != nil {
		t.Fatal(err)
	}
}

func wantLoaded(t *testing.T, s Store, want []Entry) {
	t.Helper()
	got, err := s.Load()
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Load() = %v (-want +got):\n%s", err, diff)
	}
}

func TestStore(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	wantLoaded(t, s, nil)
	mustSave(t, s)
	wantLoaded(t, s, some)
	other := Store{Cache: s.Cache, Key: otherKey}
	wantLoaded(t, other, nil)
	info, err := os.Stat(filepath.Join(s.folder(), file))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v; want mode 0600", info.Mode(), err)
	}
	if err := cache.Remove(s.Cache); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.Cache); !os.IsNotExist(err) {
		t.Errorf("the cache is still there after its removal: %v", err)
	}
}

// A snapshot that cannot be used is reported once, and replaced.
func TestUnusableSnapshots(t *testing.T) {
	t.Parallel()
	sealed := func(c content) []byte {
		data, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return append([]byte(checksum(data)+"\n"), data...)
	}
	rewrite := func(change func([]byte) []byte) func(t *testing.T, s Store, path string) {
		return func(t *testing.T, _ Store, path string) {
			data, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path, change(data), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, test := range map[string]struct {
		spoil func(t *testing.T, s Store, path string)
		want  string
	}{
		"empty":              {rewrite(func([]byte) []byte { return nil }), "checksum"},
		"truncated":          {rewrite(func(data []byte) []byte { return data[:len(data)/2] }), "checksum"},
		"without its end":    {rewrite(func(data []byte) []byte { return data[:len(data)-1] }), "checksum"},
		"only the checksum":  {rewrite(func(data []byte) []byte { return data[:64] }), "checksum"},
		"longer":             {rewrite(func(data []byte) []byte { return append(data, data...) }), "checksum"},
		"a changed object":   {rewrite(func(data []byte) []byte { return bytes.Replace(data, []byte(`"value":"e`), []byte(`"value":"f`), 1) }), "checksum"},
		"zeros":              {rewrite(func(data []byte) []byte { return make([]byte, len(data)) }), "checksum"},
		"no JSON":            {rewrite(func([]byte) []byte { return []byte(checksum(nil) + "\n") }), "JSON"},
		"of other inputs":    {rewrite(func([]byte) []byte { return sealed(content{Key: otherKey, Entries: some}) }), "has the key"},
		"with a Secret":      {rewrite(func([]byte) []byte { return forged(sealed, "/registry/secrets/default/x") }), "must not be in a snapshot"},
		"with a Namespace":   {rewrite(func([]byte) []byte { return forged(sealed, "/registry/namespaces/kube-system") }), "must not be in a snapshot"},
		"with a foreign key": {rewrite(func([]byte) []byte { return forged(sealed, "compact_rev_key") }), "must not be in a snapshot"},
		"no file":            {func(t *testing.T, _ Store, path string) { remove(t, path) }, "no such file"},
		"a folder": {func(t *testing.T, _ Store, path string) {
			remove(t, path)
			if err := os.Mkdir(path, 0o755); err != nil {
				t.Fatal(err)
			}
		}, ""},
		"a FIFO": {func(t *testing.T, _ Store, path string) {
			remove(t, path)
			if err := syscall.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			mustSave(t, s)
			test.spoil(t, s, filepath.Join(s.folder(), file))
			if got, err := s.Load(); err == nil || !strings.Contains(err.Error(), test.want) || len(got) > 0 {
				t.Errorf("Load() = %q, %v; want an error with %q", got, err, test.want)
			}
			wantLoaded(t, s, nil)
			mustSave(t, s)
			wantLoaded(t, s, some)
		})
	}
}

// longAgo is before the time for which the cache keeps each entry.
var longAgo = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

func forged(sealed func(content) []byte, key string) []byte {
	return sealed(content{Key: ownKey, Entries: append(slices.Clone(some), entry(key, "x"))})
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// Several commands may save, load and discard one snapshot. A load returns all of it or nothing.
func TestConcurrentUps(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var ups sync.WaitGroup
	for range 20 {
		ups.Go(func() {
			for range 20 {
				if err := s.Save(some); err != nil {
					t.Error(err)
				}
				if got, err := s.Load(); err != nil || len(got) != len(some) {
					t.Errorf("Load() = %q, %v", got, err)
				}
			}
		})
	}
	ups.Wait()
}

func TestOldSnapshotsAreDeleted(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for i := range 2 * kept {
		s.Key = cache.Key([]byte{byte(i)})
		mustSave(t, s)
		old := s.folder()
		if err := os.Chtimes(old, longAgo, longAgo.AddDate(0, 0, i)); err != nil {
			t.Fatal(err)
		}
	}
	left, err := os.ReadDir(filepath.Join(s.Cache, cache.Snapshots))
	if err != nil || len(left) > kept+1 {
		t.Errorf("%d snapshots are left, %v; want at most %d", len(left), err, kept+1)
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for name, inputs := range map[string][]any{
		"nothing":        nil,
		"a program":      {[]string{"/cache/kubernetes-1/etcd"}},
		"another":        {[]string{"/cache/kubernetes-2/etcd"}},
		"an argument":    {[]string{"/cache/kubernetes-1/etcd", "--a"}},
		"a manifest":     {[]string{"/cache/kubernetes-1/etcd"}, map[string]any{"kind": "Role"}},
		"another kind":   {[]string{"/cache/kubernetes-1/etcd"}, map[string]any{"kind": "ClusterRole"}},
		"joined strings": {[]string{"/cache/kubernetes-1/etcd--a"}},
	} {
		key, err := Key(inputs...)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := Key(inputs...); again != key {
			t.Errorf("%s: the key is %s, then %s", name, key, again)
		}
		if before, twice := seen[key]; twice {
			t.Errorf("%s and %s have the same key", name, before)
		}
		seen[key] = name
	}
	if _, err := Key(func() {}); err == nil {
		t.Error("Key of a function = nil, want an error")
	}
}

func FuzzParse(f *testing.F) {
	s := Store{Key: ownKey}
	f.Add([]byte(`{"key":"0123456789abcdef","entries":[{"key":"L3JlZ2lzdHJ5L3JvbGVzL2E=","value":"e30="}]}`))
	f.Add([]byte(`{"key":"0123456789abcdef","entries":[{"key":"L3JlZ2lzdHJ5L3NlY3JldHMvYQ=="}]}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := s.parse(append([]byte(checksum(data)+"\n"), data...))
		if err != nil {
			return
		}
		for _, e := range entries {
			if !slices.ContainsFunc(kinds, func(kind string) bool { return strings.HasPrefix(string(e.Key), kind) }) {
				t.Errorf("parse accepted the key %q", e.Key)
			}
		}
	})
}
