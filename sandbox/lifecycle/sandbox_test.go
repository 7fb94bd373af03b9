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

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/companion"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/engine/enginetest"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Every kind of cluster has a provider for each command.
func TestProviders(t *testing.T) {
	t.Parallel()
	providers := Providers()
	for _, kind := range []string{component.Kind, component.Embedded, component.Existing} {
		f := providers[kind]
		if f.Attach == nil || f.Choose == nil || f.Load == nil || (f.Clean == nil) != (kind == component.Existing) {
			t.Errorf("the provider of %s is incomplete: %+v", kind, f)
		}
		delete(providers, kind)
	}
	if len(providers) > 0 {
		t.Errorf("unknown providers: %v", providers)
	}
}

// A cluster that is attached again replaces the former one, and its forwarded ports are closed.
func TestAttachClosesTheFormerCluster(t *testing.T) {
	t.Parallel()
	first, second := &fakeCluster{}, &fakeCluster{}
	s := newSandbox(t, quiet(component.Existing), first, second)
	for range 2 {
		if err := s.Attach(); err != nil {
			t.Fatal(err)
		}
		if err := s.Reach(t.Context()); err != nil || len(s.Addresses()) == 0 {
			t.Fatalf("Reach() = %v, addresses %v", err, s.Addresses())
		}
	}
	if first.reached || !slices.Equal(first.calls, []string{"reach", "close"}) {
		t.Errorf("the calls of the former cluster are %q, want close at the end", first.calls)
	}
	if !second.reached {
		t.Error("the new cluster is closed")
	}
	s.Close()
	s.Close()
	if second.reached || s.Addresses() != nil {
		t.Errorf("after Close, the addresses are %v", s.Addresses())
	}
}

func TestAttach(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		record state.Record
		attach error
		want   string
		is     error
	}{
		"never up":     {state.Record{}, nil, "", session.ErrDown},
		"up":           {quiet(component.Kind), nil, "", nil},
		"broken":       {quiet(component.Kind), broken, "", broken},
		"unknown kind": {quiet("k3d"), nil, `no clusters of the kind "k3d"`, nil},
	} {
		s := newSandbox(t, test.record)
		s.providers = map[string]Factory{component.Kind: {Attach: func(*session.Session) (provider.Cluster, error) {
			return &fakeCluster{}, test.attach
		}}}
		err := s.Attach()
		if test.want != "" {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: Attach() = %v, want %q", name, err, test.want)
			}
		} else if !errors.Is(err, test.is) {
			t.Errorf("%s: Attach() = %v, want %v", name, err, test.is)
		}
		if up := s.Kind() != ""; up != (err == nil) {
			t.Errorf("%s: after %v, the kind is %q", name, err, s.Kind())
		}
		s.Close()
	}
}

// A sandbox that is not attached has no addresses, no changes and no traces.
func TestBeforeAttach(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, state.Record{})
	if s.Addresses() != nil || s.Changes() != nil || s.Where() != "" || s.Existing() || s.Kind() != "" {
		t.Errorf("addresses %v, changes %q, where %q, kind %q; want none", s.Addresses(), s.Changes(), s.Where(), s.Kind())
	}
	if _, gated := s.Gated(); gated {
		t.Error("it has stages")
	}
	if losses, err := s.Losses(t.Context()); losses != nil || err != nil {
		t.Errorf("Losses() = %q, %v; want none", losses, err)
	}
	if _, err := s.TraceWithID(t.Context(), "abcd"); !errors.Is(err, session.ErrDown) {
		t.Errorf("TraceWithID() = %v, want %v", err, session.ErrDown)
	}
	s.Close()
}

// Only a cluster of the user has changes to agree to, and losses.
func TestConsent(t *testing.T) {
	t.Parallel()
	shared := &fakeShared{fakeCluster{fail: map[string]error{}}}
	s := newSandbox(t, quiet(component.Existing), shared)
	losses, err := s.Losses(t.Context())
	if err != nil || !slices.Equal(losses, []string{"Head team/web"}) {
		t.Errorf("Losses() = %q, %v", losses, err)
	}
	if !s.Existing() || s.Where() != "context mine" || !slices.Equal(s.Changes(), []string{"operator"}) {
		t.Errorf("where %q, changes %q", s.Where(), s.Changes())
	}
	failure := errors.New("forbidden")
	shared.fail["losses"] = failure
	if _, err := s.Losses(t.Context()); !errors.Is(err, failure) {
		t.Errorf("Losses() = %v, want %v", err, failure)
	}
	own := newSandbox(t, quiet(component.Kind), &fakeCluster{})
	if losses, err := own.Losses(t.Context()); losses != nil || err != nil || own.Where() != "" || own.Changes() != nil {
		t.Errorf("a cluster of the sandbox: losses %q, %v; where %q, changes %q", losses, err, own.Where(), own.Changes())
	}
	own = newSandbox(t, quiet("k3d"))
	own.providers = nil
	if _, err := own.Losses(t.Context()); err == nil {
		t.Error("Losses() of an unknown kind of cluster returned no error")
	}
}

// The functions of steps call the provider with their component, and return its error.
func TestSteps(t *testing.T) {
	t.Parallel()
	failure := errors.New("no space left on device")
	cluster := &fakeCluster{}
	s := newSandbox(t, quiet(component.Kind), cluster)
	if err := s.Attach(); err != nil {
		t.Fatal(err)
	}
	for call, step := range map[string]func() error{
		"prepare":        func() error { return s.Prepare(t.Context(), noReport) },
		"fetch jaeger":   func() error { return s.Fetch(component.Named(component.Jaeger))(t.Context(), noReport) },
		"deliver jaeger": func() error { return s.Deliver(component.Named(component.Jaeger))(t.Context(), noReport) },
		"start jaeger":   func() error { return s.Start(component.Named(component.Jaeger))(t.Context(), noReport) },
	} {
		for _, want := range []error{nil, failure} {
			cluster.calls, cluster.fail = nil, map[string]error{call: want}
			if err := step(); !errors.Is(err, want) || !slices.Equal(cluster.calls, []string{call}) {
				t.Errorf("%s = %v after the calls %q, want %v", call, err, cluster.calls, want)
			}
		}
	}
	if err := s.Observe(t.Context(), noReport); err != nil {
		t.Errorf("Observe() without an observer = %v", err)
	}
}

// Down removes everything once; a second one has nothing to do. After a failure it can be repeated.
func TestDownIsIdempotent(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{component.Kind, component.Embedded, component.Existing} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			failure := errors.New("the engine hangs")
			cluster := &fakeCluster{fail: map[string]error{"down": failure}}
			s := newSandbox(t, quiet(kind), cluster)
			if err := s.Down(t.Context(), false, noReport); !errors.Is(err, failure) {
				t.Fatalf("Down() = %v, want %v", err, failure)
			}
			if record, err := s.Dir.Load(); err != nil || record.Name != "a" {
				t.Fatalf("after a failure, the record is %+v, %v; want it kept", record, err)
			}
			cluster.fail = nil
			if err := s.Down(t.Context(), false, noReport); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(s.Dir.Path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the folder is still there: %v", err)
			}
			s.Record = state.Record{} // As another command reads it.
			for range 2 {
				if err := s.Down(t.Context(), false, noReport); err != nil {
					t.Errorf("Down() of a sandbox that is down = %v", err)
				}
			}
			if calls := slices.DeleteFunc(cluster.calls, func(call string) bool { return call == "close" }); !slices.Equal(calls, []string{"down", "down"}) {
				t.Errorf("calls %q, want two attempts", calls)
			}
		})
	}
}

// Without a record, each provider removes the remains that it can find on this machine.
func TestDownWithoutARecord(t *testing.T) {
	t.Parallel()
	failure := errors.New("the engine hangs")
	for name, test := range map[string]struct{ clean, want error }{"remains": {nil, nil}, "a failure": {failure, failure}} {
		s := newSandbox(t, state.Record{})
		cleaned := 0
		s.providers = map[string]Factory{
			component.Kind: {Clean: func(_ context.Context, _ *session.Session) error {
				cleaned++
				return test.clean
			}},
			component.Existing: {},
		}
		if err := s.Down(t.Context(), false, noReport); !errors.Is(err, test.want) || cleaned != 1 {
			t.Errorf("%s: Down() = %v after %d cleanings, want %v after one", name, err, cleaned, test.want)
		}
		if _, err := os.Stat(s.Dir.Path); errors.Is(err, os.ErrNotExist) != (test.want == nil) {
			t.Errorf("%s: the folder: %v", name, err)
		}
	}
}

// Files of the user in the sandbox's folder stay, and Down says so.
func TestDownLeavesFilesOfOthers(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, quiet(component.Kind), &fakeCluster{})
	var notes []string
	s.Note = func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	mine := filepath.Join(s.Dir.Path, "thesis.txt")
	if err := os.WriteFile(mine, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Down(t.Context(), false, noReport); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(mine); err != nil || len(notes) != 1 || !strings.Contains(notes[0], "it holds thesis.txt, which is not the sandbox's") {
		t.Errorf("the file: %v, notes %q", err, notes)
	}
	if record, err := s.Dir.Load(); err != nil || record.Name != "" {
		t.Errorf("the record is %+v, %v; want none", record, err)
	}
}

// A purge also removes the cache and the images of the engines; files of others in the cache stay.
func TestPurge(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	images := []string{artifact.LocalRepository + "node:used", artifact.LocalRepository + "node:unused", artifact.LocalRepository + "probe:unknown"}
	engines := enginetest.New(t)
	engines.Engine("podman", `case "$1 $2" in
images*) printf '%s
' localhost/mine:1 `+strings.Join(images, " ")+`;;
"image inspect") echo 4096;;
esac`)
	cache, err := state.CachePath()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"bin/kwok-0000000000000001/kwok", "images/x", "mine"} {
		path = filepath.Join(cache, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	s := newSandbox(t, quiet(component.Kind), &fakeCluster{})
	if err := s.Down(t.Context(), true, noReport); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(cache)
	if err != nil || len(left) != 1 || left[0].Name() != "mine" {
		t.Errorf("the cache has %v, %v; want only the file of the user", left, err)
	}
	if calls := strings.Join(engines.Calls("podman"), "\n"); !strings.Contains(calls, "rmi ") || strings.Contains(calls, "localhost/mine") {
		t.Errorf("calls of the engine: %s", calls)
	}
}

func TestStopProcess(t *testing.T) {
	t.Parallel()
	processes := &fakeProcesses{}
	s := newSandbox(t, quiet(component.Embedded), processes)
	if err := s.Attach(); err != nil {
		t.Fatal(err)
	}
	if err := s.StopProcess(t.Context(), component.Jaeger); err != nil || !slices.Equal(processes.calls, []string{"stop jaeger"}) {
		t.Errorf("StopProcess() = %v after the calls %q", err, processes.calls)
	}
	s = newSandbox(t, quiet(component.Kind), &fakeCluster{})
	if err := s.Attach(); err != nil {
		t.Fatal(err)
	}
	if err := s.StopProcess(t.Context(), component.Jaeger); !errors.Is(err, ErrNoProcess) || !strings.Contains(err.Error(), "`sandbox env`") {
		t.Errorf("StopProcess() of a Pod = %v, want %v with a remedy", err, ErrNoProcess)
	}
}

// The observer is a component of a sandbox that is up. Without its process the sandbox is degraded.
func TestStatusWithTheObserver(t *testing.T) {
	t.Parallel()
	failure := errors.New("no engine")
	for name, test := range map[string]struct {
		off        bool
		fail       error
		state      string
		components []string
	}{
		"off":            {true, nil, provider.StateUp, []string{component.Operator}},
		"not running":    {false, nil, provider.StateDegraded, []string{component.Operator, companion.Name}},
		"not examinable": {false, failure, "", nil},
	} {
		cluster := &fakeCluster{fail: map[string]error{"status": test.fail}}
		record := quiet(component.Kind)
		record.NotObserved, record.OperatorEnv, record.ControlPlaneTracing = test.off, []string{"A=b"}, true
		status, err := newSandbox(t, record, cluster).Status(t.Context())
		if !errors.Is(err, test.fail) {
			t.Errorf("%s: Status() = %v, want %v", name, err, test.fail)
		}
		if err != nil {
			continue
		}
		var names []string
		for _, c := range status.Components {
			names = append(names, c.Name)
		}
		if status.State != test.state || !slices.Equal(names, test.components) || !status.ControlPlaneTracing || !slices.Equal(status.OperatorEnv, record.OperatorEnv) {
			t.Errorf("%s: Status() = %+v, want %s with %q", name, status, test.state, test.components)
		}
	}
}

func TestLogParts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		observed bool
		want     []string
		err      error
	}{
		{"", false, provider.LogNames(component.Embedded), nil},
		{"", true, append(provider.LogNames(component.Embedded), companion.Name), nil},
		{companion.Name, true, []string{companion.Name}, nil},
		{companion.Name, false, []string{companion.Name}, nil}, // The log of the last one may be there.
		{component.Jaeger, true, []string{component.Jaeger}, nil},
		{"kubelet", true, nil, provider.ErrNoComponent},
	} {
		s := newSandbox(t, state.Record{Name: "a", Cluster: component.Embedded, NotObserved: !test.observed})
		got, err := s.LogParts(test.name)
		if diff := cmp.Diff(test.want, got); diff != "" || !errors.Is(err, test.err) {
			t.Errorf("LogParts(%q) = %v (-want +got):\n%s", test.name, err, diff)
		}
	}
}

// Logs of components come from the provider, and the observer's from its file.
func TestLogs(t *testing.T) {
	t.Parallel()
	cluster := &fakeCluster{}
	s := newSandbox(t, quiet(component.Kind), cluster)
	if err := s.Attach(); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := s.Logs(t.Context(), &out, component.Jaeger, provider.LogOptions{Previous: true}); err != nil || out.String() != "log of jaeger\n" {
		t.Errorf("Logs(jaeger) = %q, %v", out.String(), err)
	}
	if err := s.Logs(t.Context(), &out, companion.Name, provider.LogOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Logs(observer) = %v, want %v", err, os.ErrNotExist)
	}
	if err := os.MkdirAll(s.Dir.Logs(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.Dir.Logs(), companion.Name+".log"), []byte("one\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := s.Logs(t.Context(), &out, companion.Name, provider.LogOptions{Lines: 1}); err != nil || out.String() != "two\n" {
		t.Errorf("Logs(observer, one line) = %q, %v", out.String(), err)
	}
	if !slices.Equal(cluster.calls, []string{"logs jaeger true"}) {
		t.Errorf("calls %q, want only the log of Jaeger", cluster.calls)
	}
}
