package show

import (
	"slices"
	"testing"

	"github.com/spf13/pflag"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
)

// Each option of trace has a rule, or an effect with all others.
func TestRulesAreComplete(t *testing.T) {
	t.Parallel()
	always := []string{"output", "from"}
	known := map[string]bool{}
	for _, r := range rules() {
		if known[r.Flag] || len(r.Needs)+len(r.Excludes) == 0 {
			t.Errorf("the rule of --%s is empty, or the second", r.Flag)
		}
		known[r.Flag] = true
	}
	NewTrace(&command.Shared{}).Flags().VisitAll(func(f *pflag.Flag) {
		if known[f.Name] == slices.Contains(always, f.Name) {
			t.Errorf("--%s has a rule = %t, want the opposite: add one, or add the option to always", f.Name, known[f.Name])
		}
		delete(known, f.Name)
	})
	for name := range known {
		t.Errorf("the rule of --%s is about no option", name)
	}
}
