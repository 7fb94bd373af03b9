package wire

import (
	"regexp"
	"strings"
	"sync"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

var uuid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// Object names an object of any kind.
type Object struct{ Group, Resource, Namespace, Name string }

// Names normalises the names of objects, so that they are equal in all runs. It is safe for
// concurrent use.
type Names struct {
	run string // the namespace of the run, or empty

	mu        sync.Mutex
	generated map[Object]string // the prefix and "*"
}

// NewNames returns names for a run in a namespace, which may be empty.
func NewNames(namespace string) *Names {
	return &Names{run: namespace, generated: map[Object]string{}}
}

// Learn stores the prefix of a generated name.
func (n *Names) Learn(o Object, generateName string) {
	if generateName == "" || !strings.HasPrefix(o.Name, generateName) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.generated[o] = generateName + "*"
}

// Namespace returns RunNamespace for the namespace of the run, and any other as it is.
func (n *Names) Namespace(namespace string) string {
	if namespace == n.run && namespace != "" {
		return plan.RunNamespace
	}
	return namespace
}

// Name returns the normalised name of an object.
func (n *Names) Name(o Object) string {
	n.mu.Lock()
	pattern, ok := n.generated[o]
	n.mu.Unlock()
	if ok {
		return n.Text(pattern)
	}
	return n.Text(o.Name)
}

// Text replaces the namespace of the run and UIDs.
func (n *Names) Text(s string) string {
	if n.run != "" {
		s = strings.ReplaceAll(s, n.run, plan.RunNamespace)
	}
	return uuid.ReplaceAllLiteralString(s, "*")
}
