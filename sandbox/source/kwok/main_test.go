package main

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

func TestAddresses(t *testing.T) {
	living := map[types.UID]netip.Addr{"old": netip.MustParseAddr("10.0.0.2")}
	asked := 0
	a := newAddresses(netip.MustParsePrefix("10.0.0.7/29"), func() (map[types.UID]netip.Addr, error) {
		asked++
		return maps.Clone(living), nil
	})
	get := func(uid types.UID) string {
		t.Helper()
		address, err := a.get(uid)
		if err != nil {
			t.Fatal(err)
		}
		return address.String()
	}
	got := []string{get("a"), get("old"), get("b"), get("b"), get("c"), get("d"), get("e"), get("f")}
	want := []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7"}
	if !slices.Equal(got, want) || asked != 1 {
		t.Errorf("got %v after asking %d times, want %v after once", got, asked, want)
	}
	// The range is through: what Pods left is given again.
	living["d"] = netip.MustParseAddr("10.0.0.5")
	if got := get("g") + " " + get("h") + " " + get("d"); got != "10.0.0.1 10.0.0.3 10.0.0.5" {
		t.Errorf("got %s, want the addresses that are free", got)
	}
	// Now all are taken.
	for address := a.pods.Addr(); a.pods.Contains(address); address = address.Next() {
		living[types.UID("of "+address.String())] = address
	}
	for a.last != netip.MustParseAddr("10.0.0.7") {
		get(types.UID("filling " + a.last.String()))
	}
	if address, err := a.get("l"); err == nil {
		t.Errorf("got %s of a range that is full, want an error", address)
	}
}

func TestWrongUsage(t *testing.T) {
	for name, args := range map[string][]string{
		"no kubeconfig":      {"--node=n"},
		"no node":            {"--kubeconfig=f"},
		"unknown flag":       {"--manage-all-nodes"},
		"an argument":        {"--kubeconfig=f", "--node=n", "more"},
		"no range":           {"--kubeconfig=f", "--node=n", "--pod-cidr=10.0.0.1"},
		"a range of one":     {"--kubeconfig=f", "--node=n", "--pod-cidr=10.0.0.1/32"},
		"a lease of nothing": {"--kubeconfig=f", "--node=n", "--node-lease-duration=10ms"},
	} {
		if code := exitCode(t.Context(), run(t.Context(), args)); code != 2 {
			t.Errorf("%s: exit code %d, want 2", name, code)
		}
	}
	if code := exitCode(t.Context(), run(t.Context(), []string{"--kubeconfig=/does/not/exist", "--node=n"})); code != 1 {
		t.Errorf("a kubeconfig that is not there: exit code %d, want 1", code)
	}
}
