package session

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/state"
)

// A sandbox stays with the bundle that it was made of, until images are asked for from elsewhere.
func TestUseBundle(t *testing.T) {
	made := state.Record{Name: DefaultName, Images: FromBundle, Bundle: "/made.tar"}
	for _, test := range []struct {
		name    string
		options Options
		record  state.Record
		want    string
	}{
		{"none", Options{Images: "auto"}, state.Record{}, ""},
		{"asked for", Options{Images: "auto", Bundle: "asked.tar"}, state.Record{}, "asked.tar"},
		{"made of one", Options{Images: "auto"}, made, "/made.tar"},
		{"another is asked for", Options{Images: "auto", Bundle: "asked.tar"}, made, "asked.tar"},
		{"source is asked for", Options{Images: "source"}, made, ""},
		{"a mirror is asked for", Options{Images: "auto", RegistryMirror: "a.example"}, made, ""},
		{"made from source, once from a bundle", Options{Images: "auto"}, state.Record{Name: DefaultName, Images: "source", Bundle: "/made.tar"}, ""},
	} {
		run := &Session{Options: test.options, Record: test.record}
		if use := run.UseBundle(); run.bundlePath != test.want || use != (test.want != "") {
			t.Errorf("%s: %t, %q, want %q", test.name, use, run.bundlePath, test.want)
		}
	}
}

// A bundle that can't be used is an error that names it and what to do, also where it was not asked for now, and no sources are
// looked for.
func TestOpenBundleThatCanNotBe(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Chdir(t.TempDir()) // Not in the repository.
	open := func(options Options, record state.Record) error {
		t.Helper()
		options.StateDir = t.TempDir()
		run, err := Open(options)
		if err != nil {
			t.Fatal(err)
		}
		run.Record = record
		run.UseBundle()
		if err := run.UseBuilder(); err != nil {
			t.Errorf("sources were looked for: %v", err)
		}
		return run.OpenBundle(t.Context(), func(string, ...any) {})
	}
	text := filepath.Join(t.TempDir(), "text.tar")
	if err := os.WriteFile(text, []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := open(Options{Bundle: text}, state.Record{}); err == nil || !strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), "sandbox bundle create") {
		t.Errorf("text: error %v", err)
	}
	gone := filepath.Join(t.TempDir(), "gone.tar")
	if err := open(Options{Bundle: gone}, state.Record{}); err == nil || !strings.Contains(err.Error(), gone) || strings.Contains(err.Error(), "was made of it") {
		t.Errorf("no file: error %v", err)
	}
	made := state.Record{Name: DefaultName, Images: FromBundle, Bundle: gone}
	if err := open(Options{}, made); err == nil || !strings.Contains(err.Error(), gone) || !strings.Contains(err.Error(), "--bundle") {
		t.Errorf("gone since: error %v", err)
	}
}
