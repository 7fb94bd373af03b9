package assess

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/project"
)

// A report has a limited number of differences, and the number of the others.
func TestReportIsBounded(t *testing.T) {
	t.Parallel()
	for count, more := range map[int]int{0: 0, 1: 0, maxDifferences: 0, maxDifferences + 1: 1, 99_999: 99_999 - maxDifferences} {
		r := (&checkReport{Differences: slices.Repeat([]string{"a"}, count)}).closed()
		if len(r.Differences)+r.More != count || r.More != more || r.OK != (count == 0) {
			t.Errorf("report of %d differences has %d and %d more, OK %t; want %d more", count, len(r.Differences), r.More, r.OK, more)
		}
	}
}

func TestWriteBudget(t *testing.T) {
	t.Parallel()
	const file = "../../explain/finding/careless/testdata/careless.json"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	traces, err := tracetree.ReadOTLP(file, data)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ budget, want string }{
		"none":     {"", ""},
		"met":      {"budget: {limits: [duration<1h]}\n", "budget: as sandbox.yaml expects\n"},
		"exceeded": {"budget: {limits: [unchanged=0], findings: [duplicate-create]}\n", "budget: exceeded\nunchanged is 6, want unchanged=0\nfound duplicate-create: Deployment default/web: 2 more creates of an object that the operator had created\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			for name, text := range map[string]string{
				"crd.yaml":     "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: heads.dummy.example.com}}",
				"sandbox.yaml": "apiVersion: sandbox.operator-tracing.dev/v1alpha1\nkind: Sandbox\noperator: {image: a, manifests: [crd.yaml]}\nsample: {manifests: [crd.yaml]}\n" + test.budget,
			} {
				if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			p, err := project.Load(filepath.Join(folder, "sandbox.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			if err := WriteBudget(&out, p, tracetree.Join(traces)[0]); err != nil || out.String() != test.want {
				t.Errorf("WriteBudget() wrote %q, %v, want %q", out.String(), err, test.want)
			}
		})
	}
}
