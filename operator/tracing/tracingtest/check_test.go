package tracingtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// failures is a TB that records its failures.
type failures []string

func (f *failures) Helper() {}

func (f *failures) Errorf(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

func TestCheck(t *testing.T) {
	folder := t.TempDir()
	for name, tc := range map[string]struct {
		tree   string
		values map[string]string
		want   string // part of the failure; empty for none
	}{
		"as expected":     {"outer [service=shop]\n  inner\n", nil, ""},
		"values":          {"$OUT [service=${SHOP}]\n  inner\n", map[string]string{"OUT": "outer", "SHOP": "shop"}, ""},
		"without a value": {"$OUT\n  $IN\n", map[string]string{"OUT": "outer"}, "$IN"},
		"a missing span":  {"outer\n  inner\n  another\n", nil, "another"},
		"an extra span":   {"outer\n", nil, "inner"},
		"another service": {"outer [service=bank]\n  inner\n", nil, "bank"},
		"no tree":         {"\touter\n", nil, ":1:"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(folder, strings.ReplaceAll(name, " ", "_")+".tree")
			if err := os.WriteFile(file, []byte(tc.tree), 0o600); err != nil {
				t.Fatal(err)
			}
			tp := NewTracerProvider()
			ctx, outer := tp.Tracer("test").Start(t.Context(), "outer")
			_, inner := tp.Tracer("test").Start(ctx, "inner")
			inner.End()
			var unended failures
			if Check(&unended, tp, "shop", file, tc.values) || len(unended) != 1 {
				t.Errorf("Check passes with a span that has not ended, failures %q", unended)
			}
			outer.End()
			var got failures
			ok := Check(&got, tp, "shop", file, tc.values)
			if ok != (tc.want == "") || len(got) > 1 || ok != (len(got) == 0) || !ok && !strings.Contains(got[0], tc.want) {
				t.Errorf("passed: %t, failures %q, want one with %q", ok, got, tc.want)
			}
		})
	}
	var got failures
	if Check(&got, nil, "", filepath.Join(folder, "nothing.tree"), nil) || len(got) != 1 {
		t.Errorf("Check passes with a missing file, failures %q", got)
	}
	if Check(&got, nil, "", filepath.Join(folder, "as_expected.tree"), nil) || len(got) != 2 {
		t.Errorf("Check of a nil provider: failures %q", got)
	}
}
