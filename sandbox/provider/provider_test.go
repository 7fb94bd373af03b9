package provider

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

func TestAddressesOf(t *testing.T) {
	t.Parallel()
	ports := component.Ports{component.UI: 1, component.Query: 2, component.OTLPGRPC: 3, component.OTLPHTTP: 4, component.Thrift: 5}
	want := Addresses{
		component.UI: "http://127.0.0.1:1", component.Query: "127.0.0.1:2", component.OTLPGRPC: "127.0.0.1:3", component.OTLPHTTP: "127.0.0.1:4",
		component.Thrift: "http://127.0.0.1:5/api/traces",
	}
	if diff := cmp.Diff(want, AddressesOf(ports)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLogsNamed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind, name string
		want       []string
	}{
		{component.Kind, "operator", []string{"operator"}},
		{component.Kind, "kubelet", []string{"kubelet"}},
		{component.Kind, "cert-manager", []string{"cert-manager-controller", "cert-manager-cainjector", "cert-manager-webhook"}},
		{component.Embedded, "control-plane", []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}},
		{component.Embedded, "", ProcessNames()},
		{component.Kind, "", LogNames(component.Kind)},
	} {
		got, err := LogsNamed(test.kind, test.name)
		if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Errorf("LogsNamed(%s, %q): %v (-want +got):\n%s", test.kind, test.name, err, diff)
		}
	}
	for _, kind := range []string{component.Kind, component.Embedded} {
		for _, part := range component.On(kind) {
			for _, program := range part.Main() {
				if one, err := LogsNamed(kind, program.Name); err != nil || len(one) != 1 {
					t.Errorf("LogsNamed(%s, %q) = %q, %v, want one log", kind, program.Name, one, err)
				}
			}
		}
	}
	_, err := LogsNamed(component.Kind, "jeager")
	if !errors.Is(err, ErrNoComponent) || !strings.Contains(err.Error(), "did you mean jaeger?") {
		t.Errorf("LogsNamed of a misspelt name: %v", err)
	}
	if _, err := LogsNamed(component.Embedded, "kubelet"); !errors.Is(err, ErrNoComponent) {
		t.Errorf("LogsNamed(embedded, kubelet): %v", err)
	}
}
