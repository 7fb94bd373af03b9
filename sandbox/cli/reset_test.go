package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/reset"
)

func Example_counted() {
	fmt.Println(counted(nil))
	fmt.Println(counted([]string{"Namespace team"}))
	fmt.Println(counted([]string{"ConfigMap team/a", "Namespace team", "Pod team/b", "ConfigMap team/c"}))
	fmt.Println(counted([]string{"A 1", "B 1", "C 1", "D 1", "E 1", "F 1", "G 1", "G 2"}))
	// Output:
	// no objects
	// 1 object (Namespace 1)
	// 4 objects (ConfigMap 2, Namespace 1, Pod 1)
	// 8 objects (G 2, A 1, B 1, C 1, D 1, E 1, …)
}

func TestWriteReset(t *testing.T) {
	t.Parallel()
	report := resetReport{Name: "mine", Cluster: "embedded", Sample: "Head default/head-sample", Seconds: 0.71, Outcome: reset.Outcome{Deleted: []string{"ConfigMap default/a"}}}
	for name, test := range map[string]struct {
		restored []string
		want     string
	}{
		"deleted":  {nil, "Deleted 1 object (ConfigMap 1). Head default/head-sample is ready again, after 0.7 s.\n"},
		"restored": {[]string{"Namespace default"}, "Deleted 1 object (ConfigMap 1), restored 1 object (Namespace 1). Head default/head-sample is ready again, after 0.7 s.\n"},
	} {
		var out strings.Builder
		report.Restored = test.restored
		if err := writeReset(&out, "text", report); err != nil || out.String() != test.want {
			t.Errorf("%s: writeReset() = %v, %q, want %q", name, err, out.String(), test.want)
		}
	}
	var out strings.Builder
	if err := writeReset(&out, "json", report); err != nil {
		t.Fatal(err)
	}
	var got resetReport
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(report, got); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}
