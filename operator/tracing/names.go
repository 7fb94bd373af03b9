package tracing

import "sync"

// nameCache caches the names of spans, "{action} {Kind}". It is safe for concurrent use.
type nameCache struct {
	mu    sync.RWMutex
	known map[spanName]string
}

type spanName struct{ action, kind string }

// of returns the name of a span. It is the action if the kind is unknown.
func (n *nameCache) of(action, kind string) string {
	if kind == "" {
		return action
	}
	key := spanName{action, kind}
	n.mu.RLock()
	name, ok := n.known[key]
	n.mu.RUnlock()
	if ok {
		return name
	}
	name = action + " " + kind
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil {
		n.known = make(map[spanName]string)
	}
	if len(n.known) < maxNames {
		n.known[key] = name
	}
	return name
}
