package lifecycle

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// choosing opens a sandbox on a machine without any container engine, and lets it choose.
func choosing(t *testing.T, options session.Options, record state.Record) (*Sandbox, string, error) {
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
	kindRecord := state.Record{Name: session.DefaultName, Cluster: component.Kind, Provider: "podman"}
	embeddedRecord := state.Record{Name: session.DefaultName, Cluster: component.Embedded}
	for _, test := range []struct {
		name     string
		options  session.Options
		record   state.Record
		embedded bool
		says     string // what is reported, or the error
	}{
		{"automatically", session.Options{}, state.Record{}, true, "as kind can't run here: "},
		{"as asked", session.Options{Cluster: "embedded"}, state.Record{}, true, "embedded: processes of this machine"},
		{"kind as asked", session.Options{Cluster: "kind"}, state.Record{}, false, "not installed"},
		{"an engine as asked", session.Options{Provider: "podman"}, state.Record{}, false, "podman"},
		{"images as asked", session.Options{Images: "registry"}, state.Record{}, false, "not installed"},
		{"as recorded", session.Options{}, embeddedRecord, true, "embedded: processes of this machine"},
		{"kind as recorded", session.Options{}, kindRecord, false, "podman"},
		{"of another cluster", session.Options{Context: "kind-mine"}, state.Record{}, false, "--cluster=kind --context=kind-mine: it is about an existing cluster; omit --context"},
		{"of another cluster, ignored", session.Options{Context: "kind-mine", Origins: settings.Origins{"context": "SANDBOX_CONTEXT"}}, state.Record{}, true, "as kind can't run here: "},
		{"replicas", session.Options{OperatorReplicas: 2}, state.Record{}, false, "--cluster=embedded --operator-replicas=2: an embedded cluster runs one process"},
		{"recorded, an engine", session.Options{Provider: "podman", Origins: settings.Origins{"provider": "SANDBOX_PROVIDER"}}, embeddedRecord, true, "embedded: processes of this machine"},
		{"recorded, an engine as asked", session.Options{Provider: "podman"}, embeddedRecord, false, "--cluster=embedded --provider=podman: "},
		{"another than recorded", session.Options{Cluster: "kind"}, embeddedRecord, false, "it is embedded, not kind: take it down first"},
		{"embedded over kind", session.Options{Cluster: "embedded"}, kindRecord, false, "it is kind, not embedded: take it down first"},
	} {
		t.Run(test.name, func(t *testing.T) {
			run, said, err := choosing(t, test.options, test.record)
			if (run.Kind() == component.Embedded) != test.embedded || (err == nil) != test.embedded {
				t.Errorf("kind %q, error %v, want embedded %t", run.Kind(), err, test.embedded)
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
