package up

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/doctor"
	embed "github.com/operator-tracing/sandbox/sandbox/embedded"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// The page is the promise that scripts rely on: it names every field, in backquotes.
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
	walk(reflect.TypeFor[Status]())
	walk(reflect.TypeFor[doctor.Report]())
}

func TestProcessesOfAComponent(t *testing.T) {
	older, younger := time.Unix(1, 0), time.Unix(2, 0)
	got := processesOf(component.Component{Name: "c", Programs: []component.Program{{Name: "a"}, {Name: "b"}, {Name: "d"}}}, []embed.Status{
		{Name: "a", PID: 1, Since: younger, Program: "/cache/bin/x-0123456789abcdef/a", Log: "/a.log"},
		{Name: "b", PID: 2, Since: older, Program: "/cache/bin/x-0123456789abcdef/b", Log: "/b.log"},
		{Name: "other", PID: 3, Since: younger, Program: "/cache/bin/y-fedcba9876543210/b", Log: "/o.log"},
		{Name: "d", Message: "does not run", Log: "/d.log"},
	})
	want := Component{
		Name: "c", Digest: "0123456789abcdef", Since: &younger, Message: "d does not run",
		Processes: []Process{{"a", 1, &younger, "/a.log"}, {"b", 2, &older, "/b.log"}, {Name: "d", Log: "/d.log"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLogParts(t *testing.T) {
	kind := &Run{Record: state.Record{Cluster: component.Kind}}
	embeddedRun := &Run{Record: state.Record{Cluster: component.Embedded}}
	for _, test := range []struct {
		run  *Run
		name string
		want []string
	}{
		{kind, "operator", []string{"operator"}},
		{kind, "kubelet", []string{"kubelet"}},
		{kind, "cert-manager", []string{"cert-manager-controller", "cert-manager-cainjector", "cert-manager-webhook"}},
		{embeddedRun, "control-plane", []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}},
		{embeddedRun, "", ProcessNames()},
		{kind, "", LogNames(component.Kind)},
	} {
		got, err := test.run.LogParts(test.name)
		if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Errorf("%q of %s: %v (-want +got):\n%s", test.name, test.run.Record.Cluster, err, diff)
		}
	}
	for _, run := range []*Run{kind, embeddedRun} {
		for _, part := range component.On(run.Record.Cluster) {
			if len(part.Programs) == 0 {
				continue
			}
			names, err := run.LogParts(part.Programs[0].Name)
			if group := part.LogGroup(); err == nil && len(part.Main()) > 1 {
				names, err = run.LogParts(group)
			}
			for _, name := range names {
				if one, err := run.LogParts(name); err != nil || len(one) != 1 {
					t.Errorf("%s of %s has no log: %v", name, part.Name, err)
				}
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
	_, err := kind.LogParts("jeager")
	if !errors.Is(err, ErrNoComponent) || !strings.Contains(err.Error(), "did you mean jaeger?") {
		t.Errorf("a misspelt name: %v", err)
	}
	if _, err := embeddedRun.LogParts("kubelet"); !errors.Is(err, ErrNoComponent) {
		t.Errorf("what an embedded cluster has not: %v", err)
	}
}

func TestLogOptionsThatMakeNoSense(t *testing.T) {
	kind := &Run{Record: state.Record{Cluster: component.Kind}}
	embeddedRun := &Run{Record: state.Record{Name: "a", Cluster: component.Embedded}, Dir: state.Dir{Path: t.TempDir()}}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	if err := embeddedRun.Attach(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		run     *Run
		name    string
		options LogOptions
		want    string
	}{
		{kind, "operator", LogOptions{Previous: true, Follow: true}, "--follow makes no sense"},
		{kind, "kubelet", LogOptions{Previous: true}, "goes on from run to run"},
		{embeddedRun, "operator", LogOptions{Since: time.Minute}, "use --tail"},
	} {
		err := test.run.Logs(t.Context(), &strings.Builder{}, test.name, test.options)
		if !errors.Is(err, ErrLogOption) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.options, err, test.want)
		}
	}
}
