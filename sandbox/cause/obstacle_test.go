package cause

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const (
	forbidden = `{"level":"error","msg":"Reconciler error","error":"tides.sea.example.com is forbidden: User \"u\" cannot watch resource \"tides\" in API group \"sea.example.com\" at the cluster scope"}`
	missing   = "2026-12-01T00:00:00Z\tERROR\tReconciler error\t{\"error\": \"Secret \\\"anchor\\\" not found\"}"
)

func TestObstacles(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		line  string
		times []int // in seconds
		want  string
	}{
		"a permission":               {forbidden, []int{0, 1, 41}, `resources: ["tides"]`},
		"an object":                  {missing, []int{0, 1, 41, 82}, `secret "anchor"`},
		"an object that may appear":  {missing, []int{0, 1, 41}, ""},
		"two times":                  {forbidden, []int{0, 41}, ""},
		"only at the start":          {forbidden, []int{0, 1, 2, 3, 4, 20}, ""},
		"a warning":                  {strings.Replace(forbidden, "error", "warn", 1), []int{0, 1, 41}, ""},
		"a note on a console":        {strings.Replace(missing, "ERROR", "INFO", 1), []int{0, 1, 41, 82}, ""},
		"klog's information":         {"I1201 00:00:00.0 1 a.go:1] " + forbidden, []int{0, 1, 41}, ""},
		"an error without a remedy":  {"ERROR connection refused", []int{0, 1, 41, 82}, ""},
		"a line of an error in klog": {"\t" + `secrets "anchor" not found`, []int{0, 1, 82}, `secrets "anchor"`},
		"a status that has a remedy": {missing + "; " + Remedy(missing), []int{0, 1, 82}, `secret "anchor"`},
		"a line that ends with LF":   {forbidden + "\n", []int{0, 1, 41}, `resources: ["tides"]`},
		"an empty line":              {"", []int{0, 1, 41}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var now time.Time
			o := Obstacles{Name: "operator", Now: func() time.Time { return now }}
			for _, second := range test.times {
				now = time.Unix(int64(second), 0)
				if n, err := fmt.Fprint(&o, test.line); n != len(test.line) || err != nil {
					t.Fatalf("Write = %d, %v", n, err)
				}
			}
			found := o.Found()
			switch {
			case found == nil && test.want != "":
				t.Errorf("Found() = nil, want %q", test.want)
			case found != nil && (test.want == "" || !strings.Contains(found.Error(), test.want) || strings.Count(found.Error(), found.Remedy) != 1):
				t.Errorf("Found() = %q, want one remedy with %q", found, test.want)
			}
		})
	}
}

// Nothing listens on the addresses of Pods and Services of an embedded cluster.
func TestObstaclesSimulated(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		`ERROR ping failed	{"error": "dial tcp 10.244.0.7:5432: i/o timeout"}`:                                     true,
		`{"level":"error","error":"Get \"http://tide.sea.svc:80/\": dial tcp: lookup tide.sea.svc: no such host"}`: true,
		`{"level":"error","error":"error dialing backend: dial tcp: lookup sandbox-node: no such host"}`:           true,
		`ERROR ping failed	{"error": "dial tcp 192.0.2.1:443: i/o timeout"}`:                                       false,
	} {
		for _, simulated := range []bool{true, false} {
			second := int64(0)
			o := Obstacles{Simulated: simulated, Now: func() time.Time { return time.Unix(second, 0) }}
			for second = range int64(3) {
				second *= 20
				fmt.Fprint(&o, line)
			}
			if found := o.Found() != nil; found != (want && simulated) {
				t.Errorf("simulated %t: Found() after %s = %t", simulated, line, found)
			}
		}
	}
}

func TestObstaclesLast(t *testing.T) {
	t.Parallel()
	o := Obstacles{}
	for _, line := range []string{"ERROR first\n", "ERROR second\n", "\tmain.go:1\n", "done\n", strings.Replace(forbidden, "error", "info", 1) + "\n"} {
		fmt.Fprint(&o, line)
	}
	if got := o.Last(); got != "ERROR second" {
		t.Errorf("Last() = %q, want the second error", got)
	}
}

// A program that logs ever new errors does not fill the memory.
func TestObstaclesForget(t *testing.T) {
	t.Parallel()
	o := Obstacles{}
	for i := range 10 * remembered {
		fmt.Fprintf(&o, `ERROR secrets "s%d" not found`, i)
	}
	if len(o.seen) > remembered {
		t.Errorf("%d errors are remembered, want at most %d", len(o.seen), remembered)
	}
}

// If a manager exits because it could not list a kind, the reason is the error before.
func TestExplainUnsyncedCache(t *testing.T) {
	t.Parallel()
	log := forbidden + "\n" + `{"level":"error","msg":"problem running manager","error":"failed to wait for tide caches to sync: timed out waiting for cache to be synced for Kind *v1.Tide"}`
	if got := Explain("operator", log); !strings.Contains(got.Line, "cannot watch") || !strings.Contains(got.Remedy, "tides") {
		t.Errorf("Explain = %q, want the missing permission", got)
	}
}
