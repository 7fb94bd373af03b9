package main

import (
	"fmt"
	"net/netip"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// addresses gives Pods addresses of a range, one after the other, so that an address that a Pod left is not soon another's.
// Its methods may be called from several goroutines.
//
// kwok can do that too, but forgets at its end which addresses are taken.
type addresses struct {
	pods  netip.Prefix
	inUse func() (map[types.UID]netip.Addr, error)

	mu    sync.Mutex
	of    map[types.UID]netip.Addr // nil before inUse was asked
	taken map[netip.Addr]bool
	last  netip.Addr
}

// newAddresses returns addresses of the range pods. It asks inUse, which lists the addresses of all Pods there are, before
// it gives the first and whenever it went through the range.
func newAddresses(pods netip.Prefix, inUse func() (map[types.UID]netip.Addr, error)) *addresses {
	return &addresses{pods: pods.Masked(), inUse: inUse, last: pods.Masked().Addr()}
}

// get returns the address that Pod uid was given, or one that no Pod has. A Pod may be asked for twice, because kwok
// sometimes looks at a Pod that is older than what it last wrote. The first address of the range, which names the network, is
// nobody's.
func (a *addresses) get(uid types.UID) (netip.Addr, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.of == nil {
		if err := a.ask(); err != nil {
			return netip.Addr{}, err
		}
	}
	if address, ok := a.of[uid]; ok {
		return address, nil
	}
	if address, ok := a.search(uid); ok {
		return address, nil
	}
	if err := a.ask(); err != nil {
		return netip.Addr{}, err
	}
	a.last = a.pods.Addr()
	if address, ok := a.search(uid); ok {
		return address, nil
	}
	return netip.Addr{}, fmt.Errorf("choosing an address for Pod %s: every one of %s is taken", uid, a.pods)
}

// ask learns which addresses are taken, and forgets the rest. A Pod's address that is given but not yet written into its
// status is forgotten too; the range is much larger than the number of such Pods.
func (a *addresses) ask() error {
	inUse, err := a.inUse()
	if err != nil {
		return fmt.Errorf("choosing a Pod's address: %w", err)
	}
	a.of, a.taken = make(map[types.UID]netip.Addr, len(inUse)), make(map[netip.Addr]bool, len(inUse))
	for uid, address := range inUse {
		a.of[uid], a.taken[address] = address, true
	}
	return nil
}

func (a *addresses) search(uid types.UID) (netip.Addr, bool) {
	for address := a.last.Next(); a.pods.Contains(address); address = address.Next() {
		if !a.taken[address] {
			a.of[uid], a.taken[address], a.last = address, true, address
			return address, true
		}
	}
	return netip.Addr{}, false
}
