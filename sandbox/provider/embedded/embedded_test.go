package embedded

import (
	"runtime"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// newSession returns a session with the reference operator.
func newSession(t *testing.T, options session.Options, record state.Record) *session.Session {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	options.Source, options.StateDir = "../../..", t.TempDir()
	s, err := session.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	s.Record = record
	if err := s.UseBuilder(); err != nil {
		t.Fatal(err)
	}
	if err := s.UseProject(); err != nil {
		t.Fatal(err)
	}
	return s
}

// An embedded cluster gets published programs if images must come from a registry, and keeps to that.
func TestProgramsOfAnEmbeddedCluster(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // The published programs are for Linux.
	}
	for _, test := range []struct {
		options session.Options
		before  string
		want    string
		only    bool
	}{
		{session.Options{}, "", "source", false},
		{session.Options{Images: "source"}, "registry", "source", false},
		{session.Options{Images: "registry", RegistryMirror: "mirror.example"}, "", "registry", true},
		{session.Options{}, "registry", "registry", true},
	} {
		test.options.Cluster = component.Embedded
		s := newSession(t, test.options, state.Record{Cluster: component.Embedded, Images: test.before})
		c, err := New(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Prepare(t.Context(), func(string, ...any) {}); err != nil {
			t.Fatal(err)
		}
		programs := c.programs.(*build.Programs)
		if s.Record.Images != test.want || programs.PublishedOnly != test.only || (programs.Published == nil) != (test.options.Images == "source") {
			t.Errorf("%+v after images from %q: images from %q, programs %+v", test.options, test.before, s.Record.Images, c.programs)
		}
	}
}

// A component that is not in the table has no program.
func TestUnknownComponents(t *testing.T) {
	s := newSession(t, session.Options{Images: "source"}, state.Record{})
	c, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	other := component.Component{Name: "prometheus"}
	report := func(string, ...any) {}
	for name, do := range map[string]func() error{
		"Fetch":   func() error { return c.Fetch(t.Context(), other, report) },
		"Deliver": func() error { return c.Deliver(t.Context(), other, report) },
		"Start":   func() error { return c.Start(t.Context(), other, report) },
		"Stop":    func() error { return c.Stop(t.Context(), other.Name) },
	} {
		if err := do(); err == nil {
			t.Errorf("%s of an unknown component returned no error", name)
		}
	}
}
