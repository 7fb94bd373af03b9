package up

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// choosing opens a sandbox on a machine without any container engine, and lets it choose.
func choosing(t *testing.T, options Options, record state.Record) (*Run, string, error) {
	t.Helper()
	goProgram := filepath.Join(runtimeBin(t), "go")
	bin := t.TempDir()
	if err := os.Symlink(goProgram, filepath.Join(bin, "go")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	options.StateDir = t.TempDir()
	dir, err := state.Open(options.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.Save(record); err != nil {
		t.Fatal(err)
	}
	run, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	err = run.ChooseCluster(t.Context(), func(format string, args ...any) { fmt.Fprintf(&said, format+"\n", args...) })
	return run, said.String(), err
}

// runtimeBin is the folder of the go command, which builds the engines' probe.
func runtimeBin(t *testing.T) string {
	t.Helper()
	for _, folder := range filepath.SplitList(os.Getenv("PATH")) {
		if _, err := os.Stat(filepath.Join(folder, "go")); err == nil {
			return folder
		}
	}
	t.Fatal("no go on PATH")
	return ""
}

func TestChooseClusterWithoutAnEngine(t *testing.T) {
	kindRecord := state.Record{Name: DefaultName, Cluster: component.Kind, Provider: "podman"}
	embeddedRecord := state.Record{Name: DefaultName, Cluster: component.Embedded}
	for _, test := range []struct {
		name     string
		options  Options
		record   state.Record
		embedded bool
		says     string // what is reported, or the error
	}{
		{"automatically", Options{}, state.Record{}, true, "as kind can't run here: "},
		{"as asked", Options{Cluster: "embedded"}, state.Record{}, true, "embedded: processes of this machine"},
		{"kind as asked", Options{Cluster: "kind"}, state.Record{}, false, "not installed"},
		{"an engine as asked", Options{Provider: "podman"}, state.Record{}, false, "podman"},
		{"images as asked", Options{Images: "registry"}, state.Record{}, false, "not installed"},
		{"as recorded", Options{}, embeddedRecord, true, "embedded: processes of this machine"},
		{"kind as recorded", Options{}, kindRecord, false, "podman"},
		{"of another cluster", Options{Context: "kind-mine"}, state.Record{}, false, "--cluster=kind --context=kind-mine: it is about an existing cluster; omit --context"},
		{"of another cluster, ignored", Options{Context: "kind-mine", Origins: settings.Origins{"context": "SANDBOX_CONTEXT"}}, state.Record{}, true, "as kind can't run here: "},
		{"replicas", Options{OperatorReplicas: 2}, state.Record{}, false, "--cluster=embedded --operator-replicas=2: an embedded cluster runs one process"},
		{"recorded, an engine", Options{Provider: "podman", Origins: settings.Origins{"provider": "SANDBOX_PROVIDER"}}, embeddedRecord, true, "embedded: processes of this machine"},
		{"recorded, an engine as asked", Options{Provider: "podman"}, embeddedRecord, false, "--cluster=embedded --provider=podman: "},
		{"another than recorded", Options{Cluster: "kind"}, embeddedRecord, false, "it is embedded, not kind: take it down first"},
		{"embedded over kind", Options{Cluster: "embedded"}, kindRecord, false, "it is kind, not embedded: take it down first"},
	} {
		t.Run(test.name, func(t *testing.T) {
			run, said, err := choosing(t, test.options, test.record)
			if run.Embedded() != test.embedded || (err == nil) != test.embedded {
				t.Errorf("embedded %t, error %v, want embedded %t", run.Embedded(), err, test.embedded)
			}
			if err != nil {
				said = err.Error()
			}
			if !strings.Contains(said, test.says) {
				t.Errorf("it says %q, want %q in it", said, test.says)
			}
			if strings.Count(strings.TrimSpace(said), "\n") > 0 {
				t.Errorf("it says several lines: %q", said)
			}
		})
	}
}

// An embedded cluster gets published programs if images must come from a registry, and keeps to that.
func TestProgramsOfAnEmbeddedCluster(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // The published programs are for Linux.
	}
	for _, test := range []struct {
		options Options
		before  string
		want    string
		only    bool
	}{
		{Options{}, "", "source", false},
		{Options{Images: "source"}, "registry", "source", false},
		{Options{Images: "registry", RegistryMirror: "mirror.example"}, "", "registry", true},
		{Options{}, "registry", "registry", true},
	} {
		test.options.Cluster = component.Embedded
		run, _, err := choosing(t, test.options, state.Record{Cluster: component.Embedded, Images: test.before})
		if err != nil {
			t.Fatal(err)
		}
		if err := run.PrepareProcesses(t.Context(), func(string, ...any) {}); err != nil {
			t.Fatal(err)
		}
		if run.Record.Images != test.want || run.programs.PublishedOnly != test.only || (run.programs.Published == nil) != (test.options.Images == "source") {
			t.Errorf("%+v after images from %q: images from %q, programs %+v", test.options, test.before, run.Record.Images, run.programs)
		}
	}
}
