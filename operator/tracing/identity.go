package tracing

import (
	"maps"
	"sync"
)

// identities are the user names under which the API server knows this process.
var identities struct {
	mu    sync.RWMutex
	names map[string]bool // nil until the first use
}

// registerIdentity adds user names to the identities of this process. Empty names are ignored.
func registerIdentity(names ...string) {
	identities.mu.Lock()
	defer identities.mu.Unlock()
	known := map[string]bool{}
	maps.Copy(known, identities.names)
	for _, name := range names {
		if name != "" {
			known[name] = true
		}
	}
	identities.names = known
}

// isOwnIdentity reports whether name is a user name of this process: a registered identity, or the
// service account of its pod.
func isOwnIdentity(name string) bool {
	if ownServiceAccount()[name] {
		return true
	}
	identities.mu.RLock()
	defer identities.mu.RUnlock()
	return identities.names[name]
}
