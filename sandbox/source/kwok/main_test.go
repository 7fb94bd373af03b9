package main

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

func TestAddresses(t *testing.T) {
	inUse := map[types.UID]netip.Addr{"old": netip.MustParseAddr("10.0.0.2")}
	calls := 0
	a := newAddresses(netip.MustParsePrefix("10.0.0.7/29"), func() (map[types.UID]netip.Addr, error) {
		calls++
		return maps.Clone(inUse), nil
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
	if !slices.Equal(got, want) || calls != 1 {
		t.Errorf("addresses = %v after %d calls of inUse, want %v after 1", got, calls, want)
	}
	// At the end of the range, the addresses of deleted Pods are allocated again.
	inUse["d"] = netip.MustParseAddr("10.0.0.5")
	if got := get("g") + " " + get("h") + " " + get("d"); got != "10.0.0.1 10.0.0.3 10.0.0.5" {
		t.Errorf("addresses = %s, want the free ones", got)
	}
	// All addresses are in use.
	for address := a.pods.Addr(); a.pods.Contains(address); address = address.Next() {
		inUse[types.UID("of "+address.String())] = address
	}
	for a.last != netip.MustParseAddr("10.0.0.7") {
		get(types.UID("filling " + a.last.String()))
	}
	if address, err := a.get("l"); err == nil {
		t.Errorf("get() with a full range = %s, want an error", address)
	}
}

func TestUsageErrors(t *testing.T) {
	for name, args := range map[string][]string{
		"no kubeconfig":     {"--node=n"},
		"no node":           {"--kubeconfig=f"},
		"unknown flag":      {"--manage-all-nodes"},
		"an argument":       {"--kubeconfig=f", "--node=n", "more"},
		"not a range":       {"--kubeconfig=f", "--node=n", "--pod-cidr=10.0.0.1"},
		"too small a range": {"--kubeconfig=f", "--node=n", "--pod-cidr=10.0.0.1/32"},
		"too short a lease": {"--kubeconfig=f", "--node=n", "--node-lease-duration=10ms"},
	} {
		if code := exitCode(t.Context(), run(t.Context(), args)); code != 2 {
			t.Errorf("%s: exit code = %d, want 2", name, code)
		}
	}
	if code := exitCode(t.Context(), run(t.Context(), []string{"--kubeconfig=/does/not/exist", "--node=n"})); code != 1 {
		t.Errorf("missing kubeconfig: exit code = %d, want 1", code)
	}
}
