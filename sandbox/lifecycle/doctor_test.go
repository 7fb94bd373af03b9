package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/doctor"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// The doctor examines what an up with the same options needs: a sandbox keeps what it was made of.
func TestSubjectOfTheDoctor(t *testing.T) {
	for name, test := range map[string]struct {
		options session.Options
		record  state.Record
		want    doctor.Wanted
	}{
		"a new sandbox": {
			session.Options{}, state.Record{},
			doctor.Wanted{Cluster: "auto", Provider: "auto", Images: "auto", Fresh: true},
		},
		"as asked": {
			session.Options{Cluster: component.Kind, Provider: "podman", Images: "source"}, state.Record{},
			doctor.Wanted{Cluster: component.Kind, Provider: "podman", Images: "source", Fresh: true},
		},
		"kind from a registry": {
			session.Options{}, state.Record{Name: "a", Cluster: component.Kind, Images: "registry"},
			doctor.Wanted{Cluster: component.Kind, Provider: "auto", Images: "registry"},
		},
		"other images now": {
			session.Options{Images: "source"}, state.Record{Name: "a", Cluster: component.Kind, Images: "registry"},
			doctor.Wanted{Cluster: component.Kind, Provider: "auto", Images: "source"},
		},
		"embedded": {
			session.Options{}, state.Record{Name: "a", Cluster: component.Embedded, Images: "source"},
			doctor.Wanted{Cluster: component.Embedded, Provider: "auto", Images: "auto"},
		},
		"a cluster of the user": {
			session.Options{}, state.Record{Name: "a", Cluster: component.Existing, Images: "registry"},
			doctor.Wanted{Cluster: "auto", Provider: "auto", Images: "auto", Fresh: true},
		},
		"a bundle that cannot be read": {
			session.Options{Bundle: "/none.tar"}, state.Record{},
			doctor.Wanted{Cluster: component.Kind, Provider: "auto", Images: doctor.FromBundle, Fresh: true},
		},
	} {
		s := builder(t, test.options)
		s.Record = test.record
		s.UseBundle()
		subject := s.subject()
		if diff := cmp.Diff(test.want, subject.Wanted); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if subject.Cache == "" || subject.StateDir != s.Dir.Path || subject.SourcesErr != nil {
			t.Errorf("%s: the cache %q, the folder %q, sources %v", name, subject.Cache, subject.StateDir, subject.SourcesErr)
		}
		if built := subject.Operator.Main != ""; built == (test.options.Bundle != "") {
			t.Errorf("%s: the operator %+v; want it unless a bundle has it", name, subject.Operator)
		}
	}
}

// The doctor works even if a sandbox cannot: it reports problems of the folder and the options.
func TestDoctor(t *testing.T) {
	silent := httptest.NewServer(nil)
	silent.Close()
	mirror := silent.Listener.Addr().String()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("PATH", t.TempDir())
	options := session.Options{Source: "../..", StateDir: filepath.Join(t.TempDir(), "state"), RegistryMirror: mirror}
	for name, test := range map[string]struct {
		change func(*session.Options)
		says   string // what a finding says
		err    string
	}{
		"as it is":                   {func(*session.Options) {}, mirror, ""},
		"an existing cluster":        {func(o *session.Options) { o.Cluster = component.Existing }, mirror, ""},
		"an unusable folder":         {func(o *session.Options) { o.StateDir = filepath.Join(file, "state") }, file, ""},
		"a bundle that is not there": {func(o *session.Options) { o.Bundle, o.RegistryMirror = "/none.tar", "" }, "", ""},
		"a mistake":                  {func(o *session.Options) { o.Images = "docker" }, "", "--images=docker: use auto"},
	} {
		changed := options
		test.change(&changed)
		report, err := Doctor(t.Context(), changed, noReport)
		var mistake *settings.Error
		if errors.As(err, &mistake) != (test.err != "") || err != nil && !strings.HasPrefix(err.Error(), test.err) {
			t.Errorf("%s: Doctor() = %v, want %q", name, err, test.err)
		}
		if text := fmt.Sprint(report.Findings); !strings.Contains(text, test.says) {
			t.Errorf("%s: findings %s, want %q in them", name, text, test.says)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Doctor(ctx, options, noReport); !errors.Is(err, context.Canceled) {
		t.Errorf("Doctor() = %v, want %v", err, context.Canceled)
	}
}

// up examines this machine first, but not for a cluster of the user.
func TestCheckMachine(t *testing.T) {
	for name, test := range map[string]struct {
		options session.Options
		record  state.Record
		refused bool
		says    string
	}{
		"a new cluster of the user": {session.Options{Cluster: component.Existing}, state.Record{}, false, "the cluster is there already"},
		"as recorded":               {session.Options{}, state.Record{Name: "a", Cluster: component.Existing}, false, "the cluster is there already"},
		"kind without an engine":    {session.Options{Cluster: component.Kind}, state.Record{}, true, ""},
	} {
		s := builder(t, test.options)
		s.Record = test.record
		var said strings.Builder
		err := s.CheckMachine(t.Context(), func(format string, args ...any) { fmt.Fprintf(&said, format, args...) })
		var refusal *doctor.RefusedError
		if errors.As(err, &refusal) != test.refused || (err != nil) != test.refused || said.String() != test.says {
			t.Errorf("%s: CheckMachine() = %v, report %q; want refused %t, %q", name, err, said.String(), test.refused, test.says)
		}
	}
}
