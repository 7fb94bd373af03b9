package config_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestMetricsAttributes checks that the attributes of the collector's configuration exist on
// reconciles, and that the dashboard uses no other labels. The tests in metrics/collector check the
// configuration and the dashboard with the collector itself.
func TestMetricsAttributes(t *testing.T) {
	t.Parallel()
	read := func(file string) string {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_.]+)` \\|([^|]*)\\|").FindAllStringSubmatch(read("../docs/spans.md"), -1) {
		if strings.Contains(row[2], "`reconcile`") {
			documented = append(documented, row[1])
		}
	}
	named := regexp.MustCompile(`\boperator\.[a-z_.]+`).FindAllString(read("metrics/collector.yaml"), -1)
	if len(named) < 5 {
		t.Errorf("the configuration names the attributes %q, want 5 or more", named)
	}
	var labels []string
	for _, name := range named {
		if !slices.Contains(documented, name) {
			t.Errorf("docs/spans.md has no attribute %s of a reconcile", name)
		}
		labels = append(labels, strings.ReplaceAll(name, ".", "_"))
	}
	for _, label := range regexp.MustCompile(`\boperator_[a-z_]+`).FindAllString(read("metrics/dashboard.json"), -1) {
		if !slices.Contains(labels, label) && label != "operator_reconcile_queue_wait_seconds_bucket" {
			t.Errorf("the dashboard uses %s, which the configuration does not have", label)
		}
	}
}
