package embedded

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/manifest"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// fakePrograms has the programs of all components below a folder.
type fakePrograms struct {
	err error
}

func (p fakePrograms) Paths(_ context.Context, row component.Component, _ artifact.Report) (map[string]string, error) {
	paths := map[string]string{}
	for _, program := range row.Main() {
		paths[program.Name] = "/bin/" + program.Executable()
	}
	return paths, p.err
}

func (p fakePrograms) Operator(_ context.Context, program build.Program, _ artifact.Report) (path, version string, err error) {
	return "/bin/" + program.Main, "v1", p.err
}

// Components are fetched at the same time. Each has the paths of its programs then, and the operator
// its version.
func TestFetchPrograms(t *testing.T) {
	s := newSession(t, session.Options{Images: "source"}, state.Record{})
	c := Builder(s)
	c.programs = fakePrograms{}
	var group sync.WaitGroup
	for _, part := range component.On(component.Embedded) {
		if !part.IsFetched(component.Embedded) {
			continue
		}
		group.Go(func() {
			if err := c.Fetch(t.Context(), part, func(string, ...any) {}); err != nil {
				t.Errorf("Fetch(%s) = %v", part.Name, err)
			}
		})
	}
	group.Wait()
	for name, want := range map[string]string{
		component.Etcd: "/bin/etcd", component.Kwok: "/bin/kwok", component.CertManagerWebhook: "/bin/webhook", component.Jaeger: "/bin/jaeger",
		component.Operator: "/bin/" + s.Program().Main,
	} {
		owner, _, _ := component.ProgramNamed(name)
		if got := c.pathsOf(owner.Name)[name]; got != want {
			t.Errorf("the path of %s is %q, want %q", name, got, want)
		}
	}
	if c.version != "v1" {
		t.Errorf("the version of the operator is %q, want v1", c.version)
	}
	before := c.Programs()
	delete(before, component.Jaeger)
	if len(c.Programs()) != len(before)+1 {
		t.Error("a change of the result changes the cluster")
	}
}

func TestFetchFails(t *testing.T) {
	failure := errors.New("no Go")
	c := Builder(newSession(t, session.Options{Images: "source"}, state.Record{}))
	c.programs = fakePrograms{failure}
	for _, name := range []string{component.ControlPlane, component.CertManager, component.Operator} {
		if err := c.Fetch(t.Context(), component.Named(name), func(string, ...any) {}); !errors.Is(err, failure) {
			t.Errorf("Fetch(%s) = %v, want %v", name, err, failure)
		}
	}
}

// An operator that needs a Pod is refused before anything is built.
func TestOperatorThatCannotBeAProcess(t *testing.T) {
	s := newSession(t, session.Options{Images: "source"}, state.Record{})
	s.Project.File.Operator.Build, s.Project.File.Operator.Image = nil, "example.com/op:v1"
	const want = "it cannot run the image example.com/op:v1"
	if _, err := New(s); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("New() = %v, want %q", err, want)
	}
	c := Builder(s)
	c.programs = fakePrograms{errors.New("built")}
	if err := c.Fetch(t.Context(), component.Named(component.Operator), func(string, ...any) {}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Fetch(operator) = %v, want %q", err, want)
	}
}

// A component is rendered once for each address of its webhook. A failure is not kept.
func TestRenderedOnce(t *testing.T) {
	t.Parallel()
	r := &rendered{}
	renders, failure := 0, errors.New("no chart")
	var fail error
	get := func(address string) (*manifest.Component, error) {
		return r.get(address, func(given string) (*manifest.Component, error) {
			renders++
			if given != address {
				t.Errorf("rendered for %q, want %q", given, address)
			}
			return &manifest.Component{Version: fmt.Sprint(renders)}, fail
		})
	}
	fail = failure
	if _, err := get("localhost:1"); !errors.Is(err, failure) {
		t.Errorf("get() = %v, want %v", err, failure)
	}
	fail = nil
	for _, step := range []struct {
		address string
		want    string
	}{{"localhost:1", "2"}, {"localhost:1", "2"}, {"localhost:2", "3"}, {"localhost:2", "3"}, {"localhost:1", "4"}} {
		if got, err := get(step.address); err != nil || got.Version != step.want {
			t.Errorf("get(%s) = %v, %v; want number %s", step.address, got, err, step.want)
		}
	}
}

// The record of a new sandbox names its kind of cluster and the origin of its programs. It forgets a
// bundle that is no longer used.
func TestPrepareWritesTheRecord(t *testing.T) {
	s := newSession(t, session.Options{Images: "source", Name: "a", OperatorEnv: []string{"A=b"}}, state.Record{Bundle: "/old.tar"})
	c, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Prepare(t.Context(), func(string, ...any) {}); err != nil {
		t.Fatal(err)
	}
	record := s.Record
	if record.Name != "a" || record.Cluster != component.Embedded || record.Images != "source" || record.Bundle != "" || len(record.OperatorEnv) != 1 {
		t.Errorf("the record is %+v", record)
	}
	addresses := c.Addresses()
	for _, p := range component.AllPorts() {
		if addresses[p.Name] == "" {
			t.Errorf("%s has no address", p.Name)
		}
	}
	ports := record.Ports
	if err := c.Prepare(t.Context(), func(string, ...any) {}); err != nil || !ports.SatisfiedBy(s.Record.Ports) {
		t.Errorf("a second Prepare() = %v, and changed the ports %v to %v", err, ports, s.Record.Ports)
	}
	if err := c.Reach(t.Context()); err != nil {
		t.Errorf("Reach() = %v", err)
	}
	c.Close()
}

// Options that the logs of processes do not have are usage errors. For an unknown component, the
// error suggests a name.
func TestLogsAndStop(t *testing.T) {
	s := newSession(t, session.Options{Images: "source"}, state.Record{Name: "a", Cluster: component.Embedded})
	c, err := Attach(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Logs(t.Context(), &strings.Builder{}, component.Jaeger, provider.LogOptions{Since: time.Minute}); !errors.Is(err, provider.ErrLogOption) {
		t.Errorf("Logs(--since) = %v, want %v", err, provider.ErrLogOption)
	}
	for _, previous := range []bool{false, true} {
		if err := c.Logs(t.Context(), &strings.Builder{}, component.Jaeger, provider.LogOptions{Previous: previous}); err == nil || errors.Is(err, provider.ErrLogOption) {
			t.Errorf("Logs(previous %t) of a process that never ran = %v", previous, err)
		}
	}
	if err := c.Stop(t.Context(), "jeager"); !errors.Is(err, provider.ErrNoComponent) || !strings.Contains(err.Error(), "did you mean jaeger?") {
		t.Errorf("Stop(a misspelt name) = %v", err)
	}
}

// A sandbox without processes is down, and says how to repair it. Down of it has nothing to do.
func TestStatusWithoutProcesses(t *testing.T) {
	s := newSession(t, session.Options{Images: "source"}, state.Record{Name: "a", Cluster: component.Embedded, Images: "source"})
	c, err := Attach(s)
	if err != nil {
		t.Fatal(err)
	}
	status := provider.Status{State: provider.StateDown}
	if err := c.Status(t.Context(), &status); err != nil || status.State != provider.StateDown || status.Message != "none of its processes runs; `sandbox up` repairs it" {
		t.Errorf("Status() = %+v, %v", status, err)
	}
	if len(status.Components) != len(component.On(component.Embedded)) || status.Images != "source" {
		t.Errorf("Status() has %d components, images from %q", len(status.Components), status.Images)
	}
	for _, shown := range status.Components {
		if shown.Ready || shown.Message == "" {
			t.Errorf("%s is ready, or has no reason why not: %+v", shown.Name, shown)
		}
	}
	for range 2 {
		if err := c.Down(t.Context(), func(string, ...any) {}); err != nil {
			t.Errorf("Down() without processes = %v", err)
		}
	}
}
