package condition

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "Ready=True", "Available=False": "Available=False", "none": "none", ".status.phase=Running": ".status.phase=Running",
		"{.status.phase}=Running": ".status.phase=Running", `.status.parts[?(@.name=="a")].state=ok`: `.status.parts[?(@.name=="a")].state=ok`,
		"Ready": "", "Ready=true": "", ".status.phase": "", ".status.phase=": "", "=x": "", ".=x": "", ".a[=x": "", "status.phase=Running": "",
	} {
		c, ok := Parse(text)
		if ok != (want != "") || ok && c.String() != want {
			t.Errorf("Parse(%q) = %v, %t; want %q", text, c, ok, want)
		}
	}
}

func TestMet(t *testing.T) {
	t.Parallel()
	obj := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"generation": int64(2)},
		"status": map[string]any{
			"phase": "Running", "replicas": int64(3), "ok": true,
			"conditions": []any{
				map[string]any{"type": "Ready", "status": "True", "observedGeneration": int64(2)},
				map[string]any{"type": "Old", "status": "True", "observedGeneration": int64(1)},
			},
		},
	}}
	for text, want := range map[string]string{
		"none": "", "": "", ".status.phase=Running": "", ".status.replicas=3": "", ".status.ok=true": "", `.status.conditions[?(@.type=="Ready")].status=True`: "",
		".status.phase=Failed": `.status.phase is "Running", want "Failed"`, ".status.absent=x": `.status.absent is "", want "x"`, "Absent=True": "no condition Absent yet, only Ready=True, Old=True",
		"Old=True": "condition Old is for generation 1, the object has generation 2",
	} {
		c, ok := Parse(text)
		if !ok {
			t.Fatalf("Parse(%q) failed", text)
		}
		if err := c.Met(obj); want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%q: Met() = %v, want %q", text, err, want)
		}
	}
	empty := &unstructured.Unstructured{Object: map[string]any{}}
	if err := (Condition{Type: none}).Met(empty); err != nil {
		t.Errorf("Met() without a condition = %v", err)
	}
	if err := (Condition{Type: ".status.phase", Status: "x"}).Met(empty); err == nil {
		t.Error("Met() of an object without a status = nil")
	}
}
