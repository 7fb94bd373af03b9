package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/provider"
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

// choosers returns providers that fail with errors, or succeed.
func choosers(errs map[string]error, tried *[]string) map[string]Factory {
	providers := map[string]Factory{}
	for kind, err := range errs {
		providers[kind] = Factory{
			Choose: func(_ context.Context, _ *session.Session, report report) (provider.Cluster, error) {
				*tried = append(*tried, kind)
				report("%s works", kind)
				return &fakeCluster{}, err
			},
			Load: func(_ context.Context, s *session.Session, _ report) (provider.Cluster, error) {
				*tried = append(*tried, "load "+kind)
				config := &rest.Config{Host: "https://127.0.0.1:1"}
				s.Connect(func() (*rest.Config, error) { return config, nil }, false)
				return &fakeCluster{config: config}, err
			},
			Clean: func(context.Context, *session.Session) error {
				*tried = append(*tried, "clean "+kind)
				return nil
			},
		}
	}
	return providers
}

// The automatic choice prefers kind, falls back to embedded, and says why. Nothing falls back from a
// choice of the user.
func TestAutomaticChoice(t *testing.T) {
	noEngine, noProgram := errors.New("no\nengine"), errors.New("no program")
	for name, test := range map[string]struct {
		options        session.Options
		kind, embedded error
		origin         origin
		want           string
		tried          []string
		says           string
	}{
		"kind works":      {session.Options{}, nil, nil, "registry", component.Kind, []string{"clean embedded", "kind"}, "kind works"},
		"kind fails":      {session.Options{}, noEngine, nil, "registry", component.Embedded, []string{"clean embedded", "kind", "embedded"}, "embedded, processes of this machine, as kind can't run here: no engine"},
		"both fail":       {session.Options{}, noEngine, noProgram, "registry", "", []string{"clean embedded", "kind", "embedded"}, "no program"},
		"kind as asked":   {session.Options{Cluster: component.Kind}, noEngine, nil, "registry", "", []string{"clean embedded", "kind"}, "no\nengine"},
		"embedded":        {session.Options{Cluster: component.Embedded}, nil, nil, "registry", component.Embedded, []string{"clean embedded", "embedded"}, "embedded works"},
		"an engine":       {session.Options{Provider: "podman"}, noEngine, nil, "registry", "", []string{"clean embedded", "kind"}, "no\nengine"},
		"registry images": {session.Options{Images: "registry"}, noEngine, nil, "registry", "", []string{"clean embedded", "kind"}, "no\nengine"},
	} {
		s := builder(t, test.options)
		var tried []string
		s.providers = choosers(map[string]error{component.Kind: test.kind, component.Embedded: test.embedded}, &tried)
		s.ImageSource = test.origin
		var said strings.Builder
		err := s.ChooseCluster(t.Context(), func(format string, args ...any) { fmt.Fprintf(&said, format+"\n", args...) })
		text := said.String()
		if err != nil {
			text = err.Error()
		}
		if s.Kind() != test.want || (err == nil) != (test.want != "") || !slices.Equal(tried, test.tried) || !strings.Contains(text, test.says) {
			t.Errorf("%s: ChooseCluster() = %v, kind %q, tried %q, report %q; want %q, %q, %q", name, err, s.Kind(), tried, said.String(), test.want, test.tried, test.says)
		}
		if _, missing := os.Stat(s.Dir.Subject()); (missing == nil) != (err == nil) {
			t.Errorf("%s: after %v, the description of the operator: %v", name, err, missing)
		}
	}
}

// The image of kind's node that no registry has and this machine cannot build is a reason against kind.
func TestNodeImageHindrance(t *testing.T) {
	s := builder(t, session.Options{})
	if err := s.useSources(); err != nil {
		t.Fatal(err)
	}
	for _, from := range []origin{"registry", "bundle", "source"} {
		s.ImageSource = from
		err := s.nodeImageHindrance(t.Context(), noReport)
		cannot := s.Builder.CanBuildNode()
		if want := from == "source" && cannot != nil; (err != nil) != want || want && err.Error() != "no registry answers, and "+cannot.Error() {
			t.Errorf("nodeImageHindrance() with images from %s = %v, want an error: %t", from, err, want)
		}
	}
}

// The choice of a sandbox that is up is made: nothing is cleaned, and no other kind is tried.
func TestChoiceOfASandboxThatIsUp(t *testing.T) {
	for _, kind := range []string{component.Kind, component.Embedded} {
		s := builder(t, session.Options{})
		s.Record = quiet(kind)
		var tried []string
		failure := errors.New("broken")
		s.providers = choosers(map[string]error{component.Kind: failure, component.Embedded: failure}, &tried)
		if err := s.ChooseCluster(t.Context(), noReport); !errors.Is(err, failure) || !slices.Equal(tried, []string{kind}) {
			t.Errorf("ChooseCluster() of a sandbox on %s = %v, tried %q", kind, err, tried)
		}
	}
}

// A load ends at once if the API server does not answer: it would wait for it otherwise.
func TestAttachToLoadWithoutAnAPIServer(t *testing.T) {
	s := builder(t, session.Options{})
	s.Record = quiet(component.Embedded)
	var tried []string
	s.providers = choosers(map[string]error{component.Embedded: nil}, &tried)
	factory := s.providers[component.Embedded]
	load := factory.Load
	factory.Load = func(ctx context.Context, s *session.Session, report report) (provider.Cluster, error) {
		_, err := load(ctx, s, report)
		return &fakeCluster{}, err
	}
	s.providers[component.Embedded] = factory
	if err := s.AttachToLoad(t.Context(), noReport); err == nil || !strings.Contains(err.Error(), "no API server; `sandbox up` repairs it") {
		t.Errorf("AttachToLoad() = %v, want the failure and its remedy", err)
	}
}

// A load connects to the cluster on record, and describes the operator for later commands.
func TestAttachToLoad(t *testing.T) {
	failure := errors.New("no nodes")
	for name, test := range map[string]struct {
		record state.Record
		load   error
		want   error
	}{
		"down":   {state.Record{}, nil, session.ErrDown},
		"up":     {quiet(component.Embedded), nil, nil},
		"broken": {quiet(component.Embedded), failure, failure},
	} {
		s := builder(t, session.Options{})
		s.Record = test.record
		var tried []string
		s.providers = choosers(map[string]error{component.Embedded: test.load}, &tried)
		var said strings.Builder
		err := s.AttachToLoad(t.Context(), func(format string, args ...any) { fmt.Fprintf(&said, format, args...) })
		if !errors.Is(err, test.want) || (s.Kind() != "") != (err == nil) {
			t.Errorf("%s: AttachToLoad() = %v, kind %q; want %v", name, err, s.Kind(), test.want)
		}
		if _, missing := os.Stat(s.Dir.Subject()); (missing == nil) != (err == nil) || (said.Len() > 0) != (err == nil) {
			t.Errorf("%s: after %v, the description of the operator: %v, report %q", name, err, missing, said.String())
		}
	}
}
