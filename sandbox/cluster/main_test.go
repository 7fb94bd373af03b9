package cluster

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/operator-tracing/sandbox/sandbox/state"
)

var update = flag.Bool("update", false, "write the golden files in testdata")

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m)
}

// fakes is a PATH on which nothing is but the engines that a test puts there.
type fakes struct {
	t      *testing.T
	folder string
}

func newFakes(t *testing.T) fakes {
	t.Helper()
	f := fakes{t: t, folder: t.TempDir()}
	t.Setenv("PATH", f.folder)
	t.Setenv("KIND_EXPERIMENTAL_PROVIDER", "")
	t.Setenv("CONTAINERS_CONF", "")
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	return f
}

// engine puts an engine there: a shell script that notes how it is called and then runs body, in which "$*" is the
// command line and $FAKE a folder of its own.
func (f fakes) engine(name, body string) {
	f.t.Helper()
	own := filepath.Join(f.folder, "of-"+name)
	if err := os.MkdirAll(own, 0o755); err != nil {
		f.t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\nPATH=/usr/bin:/bin\nFAKE=%s\necho \"$*\" >> \"$FAKE/calls\"\n%s\n", own, body)
	if err := os.WriteFile(filepath.Join(f.folder, name), []byte(script), 0o755); err != nil {
		f.t.Fatal(err)
	}
}

// calls are the command lines that the engine was called with.
func (f fakes) calls(name string) []string {
	f.t.Helper()
	data, err := os.ReadFile(filepath.Join(f.folder, "of-"+name, "calls"))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

// called tells whether the engine was called with a command line that begins so.
func (f fakes) called(name, beginning string) bool {
	f.t.Helper()
	return slices.ContainsFunc(f.calls(name), func(line string) bool { return strings.HasPrefix(line, beginning) })
}

// file is the path of a file in an engine's own folder.
func (f fakes) file(name, file string) string { return filepath.Join(f.folder, "of-"+name, file) }

// newCluster is a cluster called test on a fake podman that was probed.
func newCluster(t *testing.T) *Cluster {
	t.Helper()
	dir, err := state.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &Cluster{engine: &Engine{Name: "podman", Host: &Host{CgroupV2: true, Mount: true}}, name: "test", dir: dir, log: &kindLogger{}}
}

// oneLine fails the test unless err is one line that holds every word.
func oneLine(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error has several lines: %q", err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q lacks %q", err, word)
		}
	}
}
