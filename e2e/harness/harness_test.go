package harness

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
)

func TestStatusOfProgram(t *testing.T) {
	p, _ := fakeSandbox(t, "true")
	script := "#!/bin/sh\necho '{\"state\":\"down\"}'\necho progress >&2\nexit 1\n"
	if err := os.WriteFile(p.path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if status, err := p.status(t.Context()); err != nil || status.State != StateDown {
		t.Errorf("status = %+v, %v; want down with any exit code", status, err)
	}
	if err := os.WriteFile(p.path, []byte("#!/bin/sh\necho broken >&2\nexit 2\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := p.status(t.Context()); err == nil || !strings.Contains(err.Error(), "exit status 2") || !strings.Contains(err.Error(), "broken") {
		t.Errorf("error = %v, want the exit code and the output", err)
	}
}

// TestWatchReady tests that the reaper keeps a sandbox that is up, and repairs and keeps a degraded
// one.
func TestWatchReady(t *testing.T) {
	tests := map[string]struct {
		states []string // The results of the calls of status, in order.
		diary  string
		fails  bool
	}{
		"up":                   {[]string{"up"}, "status starts", false},
		"degraded":             {[]string{"degraded", "up"}, "status starts, up starts, up ends, status starts", false},
		"down":                 {[]string{"down", "up"}, "status starts, " + "up starts, up ends, status starts, down starts, down ends", false},
		"does not repair":      {[]string{"degraded", "degraded"}, "status starts, up starts, up ends, status starts", true},
		"down, and stays down": {[]string{"down", "down"}, "status starts, up starts, up ends, status starts, down starts, down ends", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p, diary := fakeSandbox(t, "true")
			// Each status consumes one of the states.
			for i, state := range test.states {
				file := filepath.Join(p.root, "state"+strings.Repeat("x", i))
				if err := os.WriteFile(file, []byte(`{"state":"`+state+`"}`), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			script, err := os.ReadFile(p.path)
			if err != nil {
				t.Fatal(err)
			}
			status := "#!/bin/sh\ncd " + p.root + "\nif [ \"$1\" = status ]; then echo 'status starts' >>diary; for f in state*; do cat $f; rm $f; exit; done; fi\n"
			if err := os.WriteFile(p.path, append([]byte(status), script...), 0o755); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			w := &watch{root: p.root, log: &log}
			if err := w.ready(t.Context()); (err != nil) != test.fails {
				t.Fatalf("error is %v", err)
			}
			if w.owned != (test.states[0] == StateDown) || w.owned == (w.found != nil) {
				t.Errorf("owned is %t, found %v", w.owned, w.found)
			}
			w.found = nil // There is nothing to restore.
			if err := w.clean(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(w.folder); w.folder == "" || err == nil {
				t.Errorf("folder %q still exists", w.folder)
			}
			if got := diary(); got != test.diary {
				t.Errorf("the diary is %q, want %q\n%s", got, test.diary, log.String())
			}
		})
	}
}

func TestFeaturesCompare(t *testing.T) {
	file := filepath.Join(t.TempDir(), "features")
	if err := os.WriteFile(file, []byte("# a list\nfirst\n  second one  # why\n\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		ran []string
		say string
	}{
		"all":        {[]string{"second one", "first"}, ""},
		"one missed": {[]string{"first"}, "did not run: second one"},
		"one more":   {[]string{"first", "second one", "third"}, "is not listed: third"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var f Features
			for _, feature := range test.ran {
				f.Ran(feature)
			}
			err := f.Compare(file)
			if (err == nil) != (test.say == "") || (err != nil && !strings.Contains(err.Error(), test.say)) {
				t.Errorf("error is %v, want %q", err, test.say)
			}
		})
	}
	if err := new(Features).Compare(file + ".missing"); err == nil {
		t.Error("no error for a missing list")
	}
}

func TestHeadReady(t *testing.T) {
	head := NewHead("ns", "h")
	head.Generation = 2
	if ready, state := HeadReady(head); ready || !strings.Contains(state, "no condition Ready yet") {
		t.Errorf("HeadReady of a new Head = %t: %s", ready, state)
	}
	head.Status = v1alpha1.ReadyStatus{Ready: true, ObservedGeneration: 2, Conditions: []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, ObservedGeneration: 2, Reason: "Done", Message: "all of it"}}}
	if ready, state := HeadReady(head); !ready || !strings.Contains(state, "Done: all of it") {
		t.Errorf("HeadReady of a ready Head = %t: %s", ready, state)
	}
	head.Generation = 3
	if ready, state := HeadReady(head); ready {
		t.Errorf("a Head that was ready at another generation is ready: %s", state)
	}
}

// kindOnly has the features that an embedded cluster does not support, with the reasons.
var kindOnly = map[string]string{
	"TestLeaderFails: another replica takes over": "the sandbox runs one operator there",
}

// TestFeaturesOfBothKinds tests that every feature runs on both kinds of cluster, except features
// with a reason.
func TestFeaturesOfBothKinds(t *testing.T) {
	lists := map[string][]string{}
	for _, kind := range []string{clusterKind, clusterEmbedded} {
		list, err := readFeatures("../testdata/features." + kind)
		if err != nil || len(list) == 0 {
			t.Fatalf("%d features of %s, %v", len(list), kind, err)
		}
		lists[kind] = list
	}
	want := slices.DeleteFunc(slices.Clone(lists[clusterKind]), func(name string) bool { return kindOnly[name] != "" })
	if diff := cmp.Diff(want, lists[clusterEmbedded]); diff != "" {
		t.Errorf("features (-kind +embedded):\n%s", diff)
	}
	for name := range kindOnly {
		if !slices.Contains(lists[clusterKind], name) {
			t.Errorf("%s is not a feature of %s", name, clusterKind)
		}
	}
}

// TestFindProgram tests that a program of the environment is used unchanged.
func TestFindProgram(t *testing.T) {
	fake, _ := fakeSandbox(t, "true")
	t.Setenv(programVariable, fake.path)
	if p, err := findProgram(t.Context(), fake.root, t.TempDir()); err != nil || p.path != fake.path || p.root != fake.root {
		t.Errorf("the program is %+v, %v", p, err)
	}
	for _, bad := range []string{"sandbox", fake.path + ".missing"} {
		t.Setenv(programVariable, bad)
		if _, err := findProgram(t.Context(), fake.root, t.TempDir()); err == nil || !strings.Contains(err.Error(), programVariable) {
			t.Errorf("with the program %s the error is %v, want one that names %s", bad, err, programVariable)
		}
	}
}

func TestEventually(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		tries := 0
		err := Eventually(t.Context(), time.Minute, "three", func(context.Context) error {
			if tries++; tries < 3 {
				return errors.New("too few")
			}
			return nil
		})
		if err != nil || time.Since(start) != 2*poll {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
		err = Eventually(t.Context(), time.Minute, "the impossible", func(ctx context.Context) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return io.ErrUnexpectedEOF
		})
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "the impossible") {
			t.Errorf("error = %v, want the subject of the wait, the cause and the last error", err)
		}
	})
}

func TestFileName(t *testing.T) {
	if got := fileName("TestA/b c: d.tree"); got != "TestA_b_c_d.tree" {
		t.Errorf("file name is %q", got)
	}
}
