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
