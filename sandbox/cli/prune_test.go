package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/prune"
)

func TestWritePruned(t *testing.T) {
	used := time.Now().Add(-9 * 24 * time.Hour)
	pruned := prune.Result{
		DryRun: true, Bytes: 700 << 20, CacheBytes: 4 << 30, Cache: "/home/me/.cache/sandbox",
		Removed: []prune.Item{
			{Name: "bin/kwok-0000000000000001", Bytes: 54 << 20, LastUsed: &used},
			{Name: "localhost/operator-tracing/node:v1", Engine: "podman", Bytes: 646 << 20},
		},
	}
	const table = `MB    UNUSED FOR   WHAT
54    9d           bin/kwok-0000000000000001
646   ?            localhost/operator-tracing/node:v1 in podman
`
	const cache = "The cache /home/me/.cache/sandbox takes 4096 MB.\n"
	for _, c := range []struct {
		change func(*prune.Result)
		want   string
	}{
		{func(*prune.Result) {}, table + "Would remove 700 MB. " + cache},
		{func(p *prune.Result) { p.DryRun = false }, table + "Removed 700 MB. " + cache},
		{func(p *prune.Result) { p.DryRun, p.Removed, p.Bytes = false, nil, 0 }, "Removed 0 MB. " + cache},
	} {
		p := pruned
		c.change(&p)
		var out strings.Builder
		if err := writePruned(&out, "text", p); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, out.String()); diff != "" {
			t.Errorf("text (-want +got):\n%s", diff)
		}
	}
	var out strings.Builder
	if err := writePruned(&out, "json", pruned); err != nil {
		t.Fatal(err)
	}
	var got prune.Result
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(pruned, got); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}
