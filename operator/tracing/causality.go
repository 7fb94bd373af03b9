package tracing

import (
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// causality records which span of this process wrote which version of which object. It is filled
// from the responses of the API server, so no write needs to carry a context. It is bounded, and
// safe for concurrent use.
//
// Entries are in two maps, young and old. When young holds half of the limit, it replaces old. This
// drops the oldest entries without keeping an order.
type causality struct {
	mu         sync.Mutex
	half       int
	young, old map[causeKey]cause
	pending    map[objectName]cause // writes without a response yet
}

// objectName identifies an object before its UID is known.
type objectName struct {
	kind schema.GroupKind
	name types.NamespacedName
}

// causeKey identifies a version of an object, or a fact about the object.
type causeKey struct {
	uid  types.UID
	n    uint64 // the generation or the resourceVersion; zero for facts
	what causeKind
}

type causeKind uint8

const (
	byGeneration  causeKind = iota // the write that raised the generation to n
	byVersion                      // the write that created the resourceVersion n
	byLatest                       // the latest write of the object: its version and generation
	byReconcile                    // the last exported reconcile of the object
	bySight                        // when this process first read the generation n
	byConvergence                  // the generation n has a converge span
	byName                         // the latest apply; uid is the name, because the UID is unknown before the response
)

// cause is the span of a write or a reconcile.
type cause struct {
	span       trace.SpanContext
	start      int64 // of the span's change, in Unix nanoseconds
	version    uint64
	generation int64
}

// changeStart returns the start of the span's change.
func (c cause) changeStart() time.Time { return time.Unix(0, c.start) }

// generatedName returns a placeholder for a name that the API server will generate. No real name
// contains an asterisk.
func generatedName(kind schema.GroupKind, namespace, prefix string) objectName {
	return objectName{kind, types.NamespacedName{Namespace: namespace, Name: prefix + "*"}}
}

func newCausality(limit int) *causality {
	return &causality{half: max(1, limit/2), young: map[causeKey]cause{}, pending: map[objectName]cause{}}
}

func (t *causality) put(key causeKey, c cause) {
	if key.uid == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.putLocked(key, c)
}

func (t *causality) putLocked(key causeKey, c cause) {
	if len(t.young) >= t.half {
		t.young, t.old = make(map[causeKey]cause, t.half), t.young
	}
	t.young[key] = c
}

func (t *causality) get(key causeKey) (cause, bool) {
	if key.uid == "" {
		return cause{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.getLocked(key)
}

func (t *causality) getLocked(key causeKey) (cause, bool) {
	c, ok := t.young[key]
	if !ok {
		c, ok = t.old[key]
	}
	return c, ok
}

// generation returns the write that raised an object to a generation.
func (t *causality) generation(uid types.UID, generation int64) (cause, bool) {
	if generation <= 0 {
		return cause{}, false
	}
	return t.get(causeKey{uid, uint64(generation), byGeneration})
}

// version returns the write that created a resourceVersion.
func (t *causality) version(uid types.UID, resourceVersion string) (cause, bool) {
	n, ok := versionNumber(resourceVersion)
	if !ok {
		return cause{}, false
	}
	return t.get(causeKey{uid, n, byVersion})
}

// latest returns the version and the generation after the latest write of an object.
func (t *causality) latest(uid types.UID) (cause, bool) {
	return t.get(causeKey{uid: uid, what: byLatest})
}

// lastReconcile returns the last exported reconcile of an object.
func (t *causality) lastReconcile(uid types.UID) (cause, bool) {
	return t.get(causeKey{uid: uid, what: byReconcile})
}

// sends records a write before it is sent. The watch can deliver the new version, and another
// worker can reconcile it, before this process reads the response. The generation of c is the
// generation before the write.
func (t *causality) sends(name objectName, c cause) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.pending) < maxPending {
		t.pending[name] = c
	}
}

// answered removes a write that sends recorded.
func (t *causality) answered(name objectName, c cause) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pending[name].span.Equal(c.span) { // another worker may write the same object
		delete(t.pending, name)
	}
}

// sending returns the write in flight that can have created a generation of an object. The
// generation is zero for kinds without generations.
func (t *causality) sending(name objectName, generation int64) (cause, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, ok := t.pending[name]
	return c, ok && (generation == 0 || generation > c.generation)
}

// wrote records a write from the API server's response. raised says whether the write changed the
// generation.
func (t *causality) wrote(o *objectFacts, raised bool, c cause) {
	n, ok := versionNumber(o.version)
	if o.uid == "" || !ok {
		return
	}
	c.version, c.generation = n, o.generation
	t.mu.Lock()
	defer t.mu.Unlock()
	t.putLocked(causeKey{o.uid, n, byVersion}, c)
	latest := causeKey{uid: o.uid, what: byLatest}
	if known, ok := t.getLocked(latest); !ok || known.version < n { // workers may record their writes out of order
		t.putLocked(latest, c)
	}
	if raised && o.generation > 0 {
		t.putLocked(causeKey{o.uid, uint64(o.generation), byGeneration}, c)
	}
}

// apply records an apply by the object's name.
func (t *causality) apply(name objectName, o *objectFacts, c cause) {
	if n, ok := versionNumber(o.version); ok {
		c.version, c.generation = n, o.generation
		t.put(causeKey{uid: name.text(), what: byName}, c)
	}
}

// applied returns the latest apply of an object.
func (t *causality) applied(name objectName) (cause, bool) {
	return t.get(causeKey{uid: name.text(), what: byName})
}

func (n objectName) text() types.UID {
	return types.UID(n.kind.Group + "/" + n.kind.Kind + "/" + n.name.Namespace + "/" + n.name.Name)
}

// converged returns true the first time that it is called for a generation.
func (t *causality) converged(uid types.UID, generation int64) bool {
	key := causeKey{uid, uint64(max(generation, 0)), byConvergence}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, done := t.getLocked(key); done {
		return false
	}
	t.putLocked(key, cause{})
	return true
}

// seen returns when this process first read a generation of an object.
func (t *causality) seen(uid types.UID, generation int64, now time.Time) time.Time {
	if uid == "" {
		return now
	}
	key := causeKey{uid, uint64(max(generation, 0)), bySight}
	t.mu.Lock()
	defer t.mu.Unlock()
	c, ok := t.getLocked(key)
	if !ok {
		c.start = now.UnixNano()
		t.putLocked(key, c)
	}
	return c.changeStart()
}

// versionText is the inverse of versionNumber.
func versionText(n uint64) string { return strconv.FormatUint(n, 10) }

// versionNumber parses a resourceVersion. Versions of one resource are ordered by this number
// (KEP-5504). Versions that are not numbers are not recorded.
func versionNumber(resourceVersion string) (uint64, bool) {
	if resourceVersion == "" {
		return 0, false // without the error that ParseUint allocates
	}
	n, err := strconv.ParseUint(resourceVersion, 10, 64)
	return n, err == nil && n > 0
}

// causalities holds the table of each TracerProvider, most recent last. The wrappers of one
// operator use the same provider, and so share one table.
type causalities struct {
	mu     sync.Mutex
	tables []providerTable
}

type providerTable struct {
	provider trace.TracerProvider // nil for the global provider
	table    *causality
}

var sharedCausality causalities

// of returns the table of a provider. Wrappers keep a reference to the table, so they still work
// when the table is dropped here.
func (s *causalities) of(tp trace.TracerProvider) *causality {
	if tp != nil && !reflect.ValueOf(tp).Comparable() {
		return newCausality(maxCauses)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tables {
		if t.provider == tp {
			return t.table
		}
	}
	if len(s.tables) == maxProviders {
		s.tables = slices.Delete(s.tables, 0, 1)
	}
	table := newCausality(maxCauses)
	s.tables = append(s.tables, providerTable{tp, table})
	return table
}
