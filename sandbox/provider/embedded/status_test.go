package embedded

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/embedded"
	"github.com/operator-tracing/sandbox/sandbox/provider"
)

func TestProcessesOfAComponent(t *testing.T) {
	t.Parallel()
	older, younger := time.Unix(1, 0), time.Unix(2, 0)
	got := processesOf(component.Component{Name: "c", Programs: []component.Program{{Name: "a"}, {Name: "b"}, {Name: "d"}}}, []embedded.Status{
		{Process: provider.Process{Name: "a", PID: 1, Since: &younger, Log: "/a.log"}, Program: "/cache/bin/x-0123456789abcdef/a"},
		{Process: provider.Process{Name: "b", PID: 2, Since: &older, Log: "/b.log"}, Program: "/cache/bin/x-0123456789abcdef/b"},
		{Process: provider.Process{Name: "other", PID: 3, Since: &younger, Log: "/o.log"}, Program: "/cache/bin/y-fedcba9876543210/b"},
		{Process: provider.Process{Name: "d", Log: "/d.log"}, Message: "does not run"},
	})
	want := provider.Component{
		Name: "c", Digest: "0123456789abcdef", Since: &younger, Message: "d does not run",
		Processes: []provider.Process{{Name: "a", PID: 1, Since: &younger, Log: "/a.log"}, {Name: "b", PID: 2, Since: &older, Log: "/b.log"}, {Name: "d", Log: "/d.log"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStopped(t *testing.T) {
	t.Parallel()
	of := func(name, message string) embedded.Status {
		return embedded.Status{Process: provider.Process{Name: name}, Message: message}
	}
	for _, c := range []struct {
		name    string
		running []embedded.Status
		want    string
	}{
		{"all run", []embedded.Status{of(component.Etcd, ""), of(component.APIServer, "")}, ""},
		{"etcd stopped", []embedded.Status{of(component.Etcd, "is not running; end of its log:\nkilled"), of(component.APIServer, "")}, "etcd is not running"},
		{"the API server is suspended", []embedded.Status{of(component.Etcd, ""), of(component.APIServer, "was stopped by a signal")}, "kube-apiserver was stopped by a signal"},
		{"the API server works without the scheduler", []embedded.Status{of(component.Etcd, ""), of(component.Scheduler, "is not running")}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if err := stopped(c.running); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("stopped() = %q, want %q", got, c.want)
			}
		})
	}
}
