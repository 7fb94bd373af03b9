package lifecycle

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/doctor"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Scripts rely on the page: it names every field, in backquotes.
func TestDocsNameEveryField(t *testing.T) {
	page, err := os.ReadFile("../../docs/status.md")
	if err != nil {
		t.Fatal(err)
	}
	var walk func(reflect.Type)
	walk = func(kind reflect.Type) {
		for kind.Kind() == reflect.Pointer || kind.Kind() == reflect.Slice {
			kind = kind.Elem()
		}
		if kind.Kind() != reflect.Struct || kind == reflect.TypeFor[time.Time]() {
			return
		}
		for field := range kind.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if !strings.Contains(string(page), "`"+name+"`") {
				t.Errorf("docs/status.md does not name %s.%s, %q", kind.Name(), field.Name, name)
			}
			walk(field.Type)
		}
	}
	walk(reflect.TypeFor[provider.Status]())
	walk(reflect.TypeFor[doctor.Report]())
}

func TestStatusOfASandboxThatIsDown(t *testing.T) {
	run, err := Open(session.Options{StateDir: filepath.Join(t.TempDir(), "state")})
	if err != nil {
		t.Fatal(err)
	}
	status, err := run.Status(t.Context())
	if err != nil || status.State != provider.StateDown || status.Message != session.ErrDown.Error() || status.Jaeger != nil {
		t.Errorf("status %+v, %v", status, err)
	}
	if err := run.Attach(); !errors.Is(err, session.ErrDown) {
		t.Errorf("Attach: %v", err)
	}
	if _, err := run.Target(); !errors.Is(err, session.ErrDown) {
		t.Errorf("Target: %v", err)
	}
}

func TestDownOfASandboxThatIsDownRemovesItsFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	run, err := Open(session.Options{StateDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Down(t.Context(), false, func(string, ...any) {}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
}

// While another command changes the sandbox, status names it instead of up.
func TestStatusOfASandboxThatIsBusy(t *testing.T) {
	t.Parallel()
	run := newSandbox(t, quiet(component.Kind), &fakeCluster{})
	run.Command = "faults run"
	unlock, err := run.Lock(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if status, err := run.Status(t.Context()); err != nil || status.Busy != "faults run" {
		t.Errorf("Status() = %+v, %v; want it busy", status, err)
	}
	unlock()
	if status, err := run.Status(t.Context()); err != nil || status.Busy != "" {
		t.Errorf("Status() after the command = %+v, %v", status, err)
	}
}

// An option that does not apply to a log is a usage error.
func TestLogsRefusesOptions(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for _, test := range []struct {
		kind, name string
		options    provider.LogOptions
		want       string
	}{
		{component.Kind, "operator", provider.LogOptions{Previous: true, Follow: true}, "--follow makes no sense"},
		{component.Kind, "kubelet", provider.LogOptions{Previous: true}, "goes on from run to run"},
		{component.Embedded, "operator", provider.LogOptions{Since: time.Minute}, "use --tail"},
	} {
		s := New(&session.Session{Record: state.Record{Name: "a", Cluster: test.kind, Provider: "podman"}, Dir: state.Dir{Path: t.TempDir()}}, Providers())
		if err := s.Attach(); err != nil {
			t.Fatal(err)
		}
		err := s.Logs(t.Context(), &strings.Builder{}, test.name, test.options)
		if !errors.Is(err, provider.ErrLogOption) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Logs(%s, %+v) = %v, want %q", test.kind, test.options, err, test.want)
		}
	}
}
