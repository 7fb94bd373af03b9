package component_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

// Names are keys of records, of labels and of logs: each must be unique.
func TestNamesAreUnique(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	unique := func(kind, name string) {
		if name == "" || seen[kind+name] {
			t.Errorf("the %s %q is empty or occurs twice", kind, name)
		}
		seen[kind+name] = true
	}
	for _, c := range component.All() {
		unique("component", c.Name)
		for _, p := range c.Programs {
			unique("program", p.Name)
			for _, l := range p.Listens {
				unique("listener", l.Name)
			}
		}
		for _, p := range c.Ports {
			unique("port", p.Name)
			unique("number", fmt.Sprint(p.Number))
			unique("flag", p.Flag)
		}
	}
}

func TestClusters(t *testing.T) {
	t.Parallel()
	for cluster, want := range map[string][]string{
		component.Kind:     {"control plane", "cert-manager", "jaeger", "operator", "sample"},
		component.Embedded: {"control plane", "node", "cert-manager", "jaeger", "operator", "sample"},
		component.Existing: {"cert-manager", "jaeger", "operator", "sample"},
	} {
		var got []string
		for _, c := range component.On(cluster) {
			got = append(got, c.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("On(%s) = %q, want %q", cluster, got, want)
		}
	}
	if names := component.NamesOf(component.ProgramsOn(component.Embedded)); slices.Contains(names, "coredns") {
		t.Errorf("an embedded cluster has the add-on coredns: %q", names)
	}
}

func TestOwns(t *testing.T) {
	t.Parallel()
	c := component.Component{Group: "example.com"}
	for group, want := range map[string]bool{"example.com": true, "acme.example.com": true, "notexample.com": false, "": false} {
		if got := c.Owns(group); got != want {
			t.Errorf("Owns(%q) = %v, want %v", group, got, want)
		}
	}
	if (component.Component{}).Owns("") {
		t.Error("a component without a group owns the core group")
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	if got, want := component.List(component.IsVersioned), "cert-manager, Jaeger"; got != want {
		t.Errorf("List(IsVersioned) = %q, want %q", got, want)
	}
	if got, want := component.List(component.IsShared), "cert-manager"; got != want {
		t.Errorf("List(IsShared) = %q, want %q", got, want)
	}
}

// The values of a chart have the options that are set, and no others.
func TestChartValues(t *testing.T) {
	t.Parallel()
	row := component.Named(component.CertManager)
	image := map[string]any{"repository": "r"}
	values := row.Chart.Values(component.ChartOptions{Images: []map[string]any{nil, image}, WebhookAddress: "localhost:1"})
	injector, webhook := values["cainjector"].(map[string]any), values["webhook"].(map[string]any)
	if values["image"] != nil || injector["image"] == nil || webhook["image"] != nil || webhook["url"] == nil || webhook["tolerations"] != nil {
		t.Errorf("Values() = %v", values)
	}
	if row.Webhook() != component.CertManagerHook {
		t.Errorf("Webhook() = %q", row.Webhook())
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		component.UI: "http://127.0.0.1:9", component.Query: "127.0.0.1:9", component.Thrift: "http://127.0.0.1:9/api/traces",
	} {
		if got := component.PortNamed(name).Address(9); got != want {
			t.Errorf("the address of %s is %s, want %s", name, got, want)
		}
	}
	if got := component.PortNamed(component.UI).Address(0); got != "" {
		t.Errorf("the address of a port that is not chosen is %q, want none", got)
	}
}

func TestWithKeepsTheOriginal(t *testing.T) {
	t.Parallel()
	before := component.Ports{component.UI: 1}
	after := before.With(component.Query, 2)
	if before[component.Query] != 0 || after[component.UI] != 1 || after[component.Query] != 2 {
		t.Errorf("With changed %v, and returned %v", before, after)
	}
	if got := component.Ports(nil).With(component.UI, 1); got[component.UI] != 1 || component.Ports(nil).Chosen() || !got.Chosen() {
		t.Errorf("nil.With = %v", got)
	}
}

func ExamplePorts_SatisfiedBy() {
	used := component.Ports{component.UI: 16686, component.Query: 16685}
	fmt.Println(component.Ports{}.SatisfiedBy(used))
	fmt.Println(component.Ports{component.UI: 16686}.SatisfiedBy(used))
	fmt.Println(component.Ports{component.UI: 16686, component.Query: 9}.SatisfiedBy(used))
	// Output:
	// true
	// true
	// false
}
