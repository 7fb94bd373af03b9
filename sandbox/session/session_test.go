package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/state"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// open returns the session of a folder, which it creates.
func open(t *testing.T, folder string, options Options) *Session {
	t.Helper()
	options.StateDir = folder
	s, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A second command waits for the lock, says so, and then sees the record that the first one wrote.
func TestLockReadsTheRecordAgain(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	first, second := open(t, folder, Options{Command: "faults run"}), open(t, folder, Options{})
	unlock, err := first.Lock(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	notices := make(chan string, 1)
	locked := make(chan error, 1)
	go func() {
		unlock, err := second.Lock(t.Context(), func(format string, args ...any) { notices <- fmt.Sprintf(format, args...) })
		if err == nil {
			unlock()
		}
		locked <- err
	}()
	if got, want := <-notices, "Waiting for `sandbox faults run`, which changes the sandbox operator-tracing."; got != want {
		t.Errorf("notice %q, want %q", got, want)
	}
	first.Record = state.Record{Name: DefaultName, Cluster: component.Embedded, Ports: component.Ports{component.UI: 5}}
	if err := first.Save(); err != nil {
		t.Fatal(err)
	}
	unlock()
	if err := <-locked; err != nil || second.Record.Ports[component.UI] != 5 {
		t.Errorf("Lock() = %v with the record %+v, want the saved one", err, second.Record)
	}
}

// A command that stops waiting, or finds a record that it cannot use, does not keep the lock.
func TestLockFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		record  string
		options Options
		cancel  bool
		want    string
	}{
		"cancelled":               {"", Options{}, true, context.Canceled.Error()},
		"a record that is broken": {"{", Options{}, false, "state.json"},
		"options for others": {
			`{"format": 1, "name": "operator-tracing", "cluster": "embedded"}`, Options{OperatorReplicas: 2}, false,
			"--cluster=embedded --operator-replicas=2: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			s, other := open(t, folder, test.options), open(t, folder, Options{})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if test.cancel {
				cancel()
			}
			if test.record != "" {
				if err := os.WriteFile(filepath.Join(folder, "state.json"), []byte(test.record), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.Lock(ctx, nil); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Lock() = %v, want %q", err, test.want)
			}
			if err := os.RemoveAll(filepath.Join(folder, "state.json")); err != nil {
				t.Fatal(err)
			}
			unlock, err := other.Lock(t.Context(), func(string, ...any) { t.Error("the lock is still held") })
			if err != nil {
				t.Fatal(err)
			}
			unlock()
		})
	}
}

// Target connects once, and tells why it cannot.
func TestTarget(t *testing.T) {
	t.Parallel()
	refused := errors.New("no kubeconfig")
	s := &Session{Dir: state.Dir{Path: t.TempDir()}}
	if _, err := s.Target(); !errors.Is(err, ErrDown) {
		t.Errorf("Target() before Connect = %v, want %v", err, ErrDown)
	}
	s.Connect(func() (*rest.Config, error) { return nil, refused }, false)
	if _, err := s.Target(); !errors.Is(err, refused) {
		t.Errorf("Target() = %v, want %v", err, refused)
	}
	connections := 0
	s.Connect(func() (*rest.Config, error) {
		connections++
		return &rest.Config{Host: "https://127.0.0.1:1"}, nil
	}, true)
	var targets sync.Map
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			target, err := s.Target()
			if err != nil {
				t.Error(err)
			}
			targets.Store(target, true)
		})
	}
	group.Wait()
	count := 0
	targets.Range(func(any, any) bool { count++; return true })
	if count != 1 || connections != 1 {
		t.Errorf("%d connections and %d targets, want one of each", connections, count)
	}
}

// A description of the operator that cannot be read is an error of each command.
func TestTargetWithoutASubject(t *testing.T) {
	t.Parallel()
	s := &Session{Dir: state.Dir{Path: t.TempDir()}}
	if err := os.WriteFile(s.Dir.Subject(), []byte(`{"samples": []}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Connect(func() (*rest.Config, error) { return &rest.Config{}, nil }, false)
	_, err := s.Target()
	if err == nil || !strings.Contains(err.Error(), "samples are empty") || !strings.Contains(err.Error(), "`sandbox up`") {
		t.Errorf("Target() = %v, want an error with a remedy", err)
	}
}

// The subject is read once: the commands of one process agree on it.
func TestSubjectIsReadOnce(t *testing.T) {
	t.Parallel()
	s := &Session{Dir: state.Dir{Path: t.TempDir()}}
	first, err := s.Subject()
	if err != nil || first.ServiceName != "demo-services-for-tracing" {
		t.Fatalf("Subject() without a file = %+v, %v; want the reference operator", first, err)
	}
	other := first
	other.ServiceName = "other"
	if err := project.SaveSubject(s.Dir.Subject(), other); err != nil {
		t.Fatal(err)
	}
	if again, err := s.Subject(); err != nil || again.ServiceName != first.ServiceName {
		t.Errorf("Subject() = %q, %v; want %q again", again.ServiceName, err, first.ServiceName)
	}
	fresh := &Session{Dir: s.Dir}
	if saved, err := fresh.Subject(); err != nil || saved.ServiceName != "other" {
		t.Errorf("Subject() of another command = %q, %v; want the saved one", saved.ServiceName, err)
	}
}

func TestUseBuilder(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		options Options
		bundle  string
		root    string
		want    string
	}{
		"from the sources":  {Options{Source: "../.."}, "", root, ""},
		"from below them":   {Options{Source: "."}, "", root, ""},
		"with a bundle":     {Options{Source: "/"}, "a.tar", "", ""},
		"outside":           {Options{Source: t.TempDir()}, "", "", "is not inside it; change into it, or name it by --source"},
		"a mirror":          {Options{RegistryMirror: "mirror.example"}, "", root, ""},
		"a mirror, no pins": {Options{RegistryMirror: "mirror.example", RegistryPins: "/none"}, "", root, "reading the pins of the registry mirror from /none"},
		"not an address":    {Options{RegistryMirror: "mirror"}, "", root, `invalid registry mirror "mirror"`},
	} {
		s := &Session{Options: test.options, bundlePath: test.bundle}
		err := s.UseBuilder()
		if test.want != "" {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: UseBuilder() = %v, want %q", name, err, test.want)
			}
			continue
		}
		if err != nil || s.Builder.Root != test.root || s.Builder.Cache == "" {
			t.Errorf("%s: UseBuilder() = %v, builder %+v; want the root %q", name, err, s.Builder, test.root)
		}
		before := s.Builder
		if err := s.UseBuilder(); err != nil || s.Builder != before {
			t.Errorf("%s: a second UseBuilder() = %v, and replaced the builder: %t", name, err, s.Builder != before)
		}
	}
}

// Times of builds are notes, and a session without Note ignores them.
func TestBuilt(t *testing.T) {
	t.Parallel()
	var notes []string
	s := &Session{}
	s.built("jaeger", time.Second)
	s.Note = func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	s.built("jaeger", 1500*time.Millisecond)
	if want := "   built jaeger                              1.5 s"; len(notes) != 1 || notes[0] != want {
		t.Errorf("notes %q, want %q", notes, want)
	}
}

// A completed set of options is complete: completing it again changes nothing.
func TestCompleteIsIdempotent(t *testing.T) {
	t.Parallel()
	on := true
	for _, o := range []Options{
		{StateDir: "/s"},
		{StateDir: "/s", Name: "a", Cluster: component.Embedded, Images: "source"},
		{StateDir: "/s", Cluster: component.Kind, Provider: "podman", JaegerConfig: NoJaegerConfig, ControlPlaneTracing: &on, Ports: component.Ports{component.UI: 1}},
		{StateDir: "/s", Cluster: component.Existing, Context: "c", JaegerEndpoint: "j:1", JaegerQuery: "http://j"},
		everything(component.Existing),
	} {
		o.Origins = settings.Origins{"bundle": "SANDBOX_BUNDLE", "provider": "x", "control-plane-tracing": "x", "jaeger-config": "x"}
		for _, u := range portUses() {
			o.Origins[u.option] = "x"
		}
		o.JaegerConfig, o.Registry = "", ""
		once, err := o.Complete()
		if err != nil {
			t.Fatal(err)
		}
		twice, err := once.Complete()
		if diff := cmp.Diff(once, twice); err != nil || diff != "" {
			t.Errorf("Complete() again: %v (-once +twice):\n%s", err, diff)
		}
	}
}

// The observer's progress decides whether all spans of a write were sent.
func TestIsObserved(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		off            bool
		file, revision string
		want           bool
	}{
		"no observer":           {true, "", "5", true},
		"nothing sent yet":      {false, "", "5", false},
		"before":                {false, "4", "5", false},
		"exactly":               {false, "5", "5", true},
		"later":                 {false, "10", "9", true}, // Numbers, not texts.
		"not a number":          {false, "five", "5", false},
		"an unordered revision": {false, "4", "abc", true},
	} {
		s := &Session{Dir: state.Dir{Path: t.TempDir()}, Record: state.Record{NotObserved: test.off}}
		if test.file != "" {
			if err := os.WriteFile(s.Dir.Observed(), []byte(test.file), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.IsObserved(test.revision); got != test.want {
			t.Errorf("%s: IsObserved(%s) = %t, want %t", name, test.revision, got, test.want)
		}
	}
}

func TestChooseTracing(t *testing.T) {
	t.Parallel()
	on, off := true, false
	for name, test := range map[string]struct {
		options          Options
		record           state.Record
		traced, switched bool
		notObserved      bool
	}{
		"a new sandbox":          {Options{}, state.Record{}, false, false, false},
		"a new one with tracing": {Options{ControlPlaneTracing: &on}, state.Record{}, true, false, false},
		"as it is":               {Options{}, state.Record{Name: "a", ControlPlaneTracing: true}, true, false, false},
		"switched on":            {Options{ControlPlaneTracing: &on}, state.Record{Name: "a"}, true, true, false},
		"switched off":           {Options{ControlPlaneTracing: &off}, state.Record{Name: "a", ControlPlaneTracing: true}, false, true, false},
		"the same again":         {Options{ControlPlaneTracing: &on}, state.Record{Name: "a", ControlPlaneTracing: true}, true, false, false},
		"without an observer":    {Options{Observe: &off}, state.Record{}, false, false, true},
		"an observer again":      {Options{Observe: &on}, state.Record{NotObserved: true}, false, false, false},
		"still without":          {Options{}, state.Record{NotObserved: true}, false, false, true},
	} {
		s := &Session{Options: test.options, Record: test.record}
		s.ChooseTracing()
		if s.TracesControlPlane() != test.traced || s.TracingSwitched != test.switched || s.Record.NotObserved != test.notObserved {
			t.Errorf("%s: traced %t, switched %t, not observed %t; want %t, %t, %t",
				name, s.TracesControlPlane(), s.TracingSwitched, s.Record.NotObserved, test.traced, test.switched, test.notObserved)
		}
	}
}

// Only the reference operator gets default trusted writers, unless the user sets them.
func TestOperatorEnvironment(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		env    []string
		record state.Record
		want   map[string]string
	}{
		"none":             {nil, state.Record{}, map[string]string{trustedWriters: workload.ApplierUser}},
		"the user's":       {[]string{"A=b=c", "B="}, state.Record{}, map[string]string{"A": "b=c", "B": "", trustedWriters: workload.ApplierUser}},
		"the last counts":  {[]string{"A=1", "A=2"}, state.Record{}, map[string]string{"A": "2", trustedWriters: workload.ApplierUser}},
		"traced":           {nil, state.Record{ControlPlaneTracing: true}, nil},
		"traced, as asked": {[]string{trustedWriters + "=me"}, state.Record{ControlPlaneTracing: true}, map[string]string{trustedWriters: "me"}},
		"traced, another":  {nil, state.Record{ControlPlaneTracing: true, File: "/sandbox.yaml"}, map[string]string{}},
	} {
		s := &Session{Options: Options{OperatorEnv: test.env}, Record: test.record}
		if test.want == nil {
			if err := s.UseProject(); err != nil {
				t.Fatal(err)
			}
			namespace, account := s.Manifests.Account()
			test.want = map[string]string{trustedWriters: "system:serviceaccount:" + namespace + ":" + account + "," + workload.ApplierUser}
		}
		got := s.OperatorEnvironment()
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A control plane that is not traced needs no certificate, and so no connection.
func TestOperatorClientWithoutTracing(t *testing.T) {
	t.Parallel()
	if client, err := new(Session).OperatorClient(t.Context()); client != nil || err != nil {
		t.Errorf("OperatorClient() = %v, %v; want none", client, err)
	}
	refused := errors.New("no kubeconfig")
	s := &Session{Record: state.Record{ControlPlaneTracing: true}}
	s.Connect(func() (*rest.Config, error) { return nil, refused }, false)
	if err := s.UseProject(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.OperatorClient(t.Context()); !errors.Is(err, refused) || !strings.HasPrefix(err.Error(), "making the operator a caller") {
		t.Errorf("OperatorClient() = %v, want %v", err, refused)
	}
}
