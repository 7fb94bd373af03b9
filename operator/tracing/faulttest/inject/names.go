package inject

import (
	"regexp"
	"strings"
	"sync"
)

var uuid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// names normalises the names of objects, so that they are equal in all runs. It is safe for
// concurrent use.
type names struct {
	run string // the namespace of the run, or empty

	mu        sync.Mutex
	generated map[object]string // the prefix and "*"
}

func newNames(namespace string) *names {
	return &names{run: namespace, generated: map[object]string{}}
}

// learn stores the prefix of a generated name.
func (n *names) learn(o object, generateName string) {
	if generateName == "" || !strings.HasPrefix(o.name, generateName) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.generated[o] = generateName + "*"
}

func (n *names) namespace(namespace string) string {
	if namespace == n.run && namespace != "" {
		return RunNamespace
	}
	return namespace
}

// name returns the normalised name of an object.
func (n *names) name(o object) string {
	n.mu.Lock()
	pattern, ok := n.generated[o]
	n.mu.Unlock()
	if ok {
		return n.text(pattern)
	}
	return n.text(o.name)
}

// text replaces the namespace of the run and UIDs.
func (n *names) text(s string) string {
	if n.run != "" {
		s = strings.ReplaceAll(s, n.run, RunNamespace)
	}
	return uuid.ReplaceAllLiteralString(s, "*")
}
