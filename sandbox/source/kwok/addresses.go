package main

import (
	"fmt"
	"net/netip"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// addresses allocates Pod addresses from a range in ascending order, so that a released address is
// not reused soon. Its method get is safe for concurrent use.
//
// kwok can allocate addresses too, but forgets the allocated addresses when it exits.
type addresses struct {
	pods  netip.Prefix
	inUse func() (map[types.UID]netip.Addr, error)

	mu    sync.Mutex
	byPod map[types.UID]netip.Addr // nil before the first refresh
	taken map[netip.Addr]bool
	last  netip.Addr
}

// newAddresses returns an allocator for the range pods. The function inUse returns the addresses of
// all existing Pods. It is called before the first allocation and whenever the end of the range is
// reached.
func newAddresses(pods netip.Prefix, inUse func() (map[types.UID]netip.Addr, error)) *addresses {
	return &addresses{pods: pods.Masked(), inUse: inUse, last: pods.Masked().Addr()}
}

// get returns the address of the Pod uid. If the Pod has no address, get allocates a free one.
// Repeated calls for one Pod are normal, because kwok can handle a version of the Pod without its
// last update. The first address of the range identifies the network, so it is never allocated.
func (a *addresses) get(uid types.UID) (netip.Addr, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byPod == nil {
		if err := a.refresh(); err != nil {
			return netip.Addr{}, err
		}
	}
	if address, ok := a.byPod[uid]; ok {
		return address, nil
	}
	if address, ok := a.search(uid); ok {
		return address, nil
	}
	if err := a.refresh(); err != nil {
		return netip.Addr{}, err
	}
	a.last = a.pods.Addr()
	if address, ok := a.search(uid); ok {
		return address, nil
	}
	return netip.Addr{}, fmt.Errorf("allocating an address for Pod %s: no free address in %s", uid, a.pods)
}

// refresh replaces the allocated addresses with the result of inUse. It also forgets an address
// that was allocated but is not in the status of its Pod yet. The next allocations are unlikely to
// reach such an address, because the range is much larger than the number of such Pods.
func (a *addresses) refresh() error {
	inUse, err := a.inUse()
	if err != nil {
		return fmt.Errorf("finding the addresses in use: %w", err)
	}
	a.byPod, a.taken = make(map[types.UID]netip.Addr, len(inUse)), make(map[netip.Addr]bool, len(inUse))
	for uid, address := range inUse {
		a.byPod[uid], a.taken[address] = address, true
	}
	return nil
}

// search allocates the next free address after last for the Pod uid. It reports false at the end of
// the range.
func (a *addresses) search(uid types.UID) (netip.Addr, bool) {
	for address := a.last.Next(); a.pods.Contains(address); address = address.Next() {
		if !a.taken[address] {
			a.byPod[uid], a.taken[address], a.last = address, true, address
			return address, true
		}
	}
	return netip.Addr{}, false
}
