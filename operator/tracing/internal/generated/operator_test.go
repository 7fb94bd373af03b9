package generated

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
)

// operator describes one generated operator, its server and the actions of its users. It is data,
// so that a failing operator can be printed, shrunk and run again.
type operator struct {
	Seed    uint64
	Primary string `json:",omitempty"` // kind of the reconciled objects
	Objects int    `json:",omitempty"` // number of reconciled objects
	Typed   bool   `json:",omitempty"` // the reconciled objects are read typed

	Protobuf   bool `json:",omitempty"` // typed clients of built-in kinds send protobuf
	Context    bool `json:",omitempty"` // users' changes carry a trace context
	Stale      bool `json:",omitempty"` // every context is stale for the library
	Rewrite    bool `json:",omitempty"` // admission rewrites objects
	Watches    bool `json:",omitempty"` // children are found by label, not by owner reference
	Priority   bool `json:",omitempty"` // the queue is a priority queue
	Generation bool `json:",omitempty"` // only a new generation of the reconciled object is an event

	Finalizer string   `json:",omitempty"` // verb that adds and removes it; empty for none
	Steps     []step   `json:",omitempty"`
	Requeue   string   `json:",omitempty"` // when the reconciler requeues its request
	Faults    []fault  `json:",omitempty"`
	Users     []string `json:",omitempty"` // actions of users, in order
}

// step is one action of each reconcile.
type step struct {
	Verb    string `json:",omitempty"` // a key of childVerbs or ownVerbs
	Kind    string `json:",omitempty"` // of the child
	Typed   bool   `json:",omitempty"` // the child is written typed
	Second  bool   `json:",omitempty"` // by a second client, with another field owner
	Lossy   bool   `json:",omitempty"` // the object has fields that the server does not store as sent
	Replace bool   `json:",omitempty"` // all annotations are replaced
	Lock    bool   `json:",omitempty"` // optimistic lock of patches, or a read before
	Always  bool   `json:",omitempty"` // written even if nothing changes
	After   string `json:",omitempty"` // action after the write
	Ignore  bool   `json:",omitempty"` // errors of this step are ignored
}

// fault is a fault of the Nth write request.
type fault struct {
	N    int    `json:",omitempty"`
	Kind string `json:",omitempty"`
}

// Values of the fields with a fixed set of words. Tests check that the fixed seeds contain all of
// them.
var (
	finalizerVerbs = []string{"", "update", "patch"}
	requeues       = []string{"", "", "after-first", "periodic", "immediately"}
	faultKinds     = []string{"conflict", "lost", "delay"}
	userVerbs      = []string{"value", "label", "annotate", "tamper", "delete-child", "resync", "annotation-removed"}
	afters         = []string{"", "", "status", "scale", "read"}
	stepExtras     = []string{"fail", "panic", "terminal"}
)

// known are operators that looped in an earlier version of the library. Their seeds generate other
// operators now.
var known = []operator{
	{Seed: 1e9 + 1, Primary: configMap, Objects: 1, Typed: true, Steps: []step{{Verb: "create-or-update", Kind: secret, Typed: true, Lossy: true}}},
	{Seed: 1e9 + 2, Primary: configMap, Objects: 1, Typed: true, Steps: []step{{Verb: "create-or-patch", Kind: secret, Typed: true, Lossy: true}}},
	{Seed: 1e9 + 3, Primary: configMap, Objects: 1, Typed: true, Steps: []step{{Verb: "apply", Kind: secret, Typed: true, Lossy: true, Lock: true}}},
	{Seed: 1e9 + 4, Primary: configMap, Objects: 1, Typed: true, Steps: []step{{Verb: "create-or-update", Kind: widget, Lossy: true}}},
	{Seed: 1e9 + 5, Primary: configMap, Objects: 1, Typed: true, Steps: []step{{Verb: "apply", Kind: deployment, Lossy: true, Lock: true}}},
	{Seed: 1e9 + 6, Primary: configMap, Objects: 1, Typed: true, Rewrite: true, Steps: []step{{Verb: "create-else-update", Kind: deployment}}},
	{Seed: 1e9 + 7, Primary: configMap, Objects: 1, Typed: true, Steps: []step{{Verb: "create-or-update", Kind: service, Typed: true, Replace: true}}},
	{Seed: 1e9 + 8, Primary: configMap, Objects: 1, Typed: true, Steps: []step{{Verb: "dry-run-apply", Kind: secret}}},
}

// generate returns the operator of a seed.
func generate(seed uint64) operator {
	r := rand.New(rand.NewPCG(seed, 13))
	chance := func(n int) bool { return r.IntN(n) == 0 }
	o := operator{
		Seed: seed, Primary: pick(r, []string{configMap, widget, gadget}), Objects: 1 + r.IntN(2), Typed: chance(2),
		Protobuf: chance(4), Context: seed%2 == 0, Stale: chance(3), Rewrite: chance(2), Watches: chance(3),
		Priority: chance(2), Finalizer: pick(r, finalizerVerbs), Requeue: pick(r, requeues),
	}
	o.Generation = o.Primary != configMap && chance(3)
	for range 1 + r.IntN(3) {
		o.Steps = append(o.Steps, step{
			Verb: pick(r, names(childVerbs)), Kind: pick(r, slices.DeleteFunc(slices.Clone(allKinds), func(k string) bool { return k == o.Primary })),
			Typed: chance(2), Second: chance(4), Lossy: chance(2), Replace: chance(3), Lock: chance(2), Always: chance(2), After: pick(r, afters), Ignore: chance(8),
		})
	}
	for range r.IntN(3) {
		at := r.IntN(len(o.Steps) + 1)
		o.Steps = slices.Insert(o.Steps, at, step{Verb: pick(r, names(ownVerbs)), Lock: chance(2), Always: chance(2), Second: chance(6)})
	}
	if chance(4) {
		o.Steps = slices.Insert(o.Steps, r.IntN(len(o.Steps)+1), step{Verb: pick(r, stepExtras)})
	}
	for range r.IntN(4) {
		o.Faults = append(o.Faults, fault{N: 1 + r.IntN(15), Kind: pick(r, faultKinds)})
	}
	for range 1 + r.IntN(4) {
		o.Users = append(o.Users, pick(r, userVerbs))
	}
	if chance(2) {
		o.Users = append(o.Users, "delete")
	}
	return o.sound()
}

// sound removes combinations whose order is not deterministic, or that loop without tracing.
func (o operator) sound() operator {
	if slices.ContainsFunc(o.Steps, func(s step) bool { return s.Verb == "generate-name" }) {
		// A lost response creates a second child, and the order of generated names is random.
		o.Faults = slices.DeleteFunc(slices.Clone(o.Faults), func(f fault) bool { return f.Kind == "lost" })
	}
	if o.Primary == configMap && slices.ContainsFunc(o.Steps, func(s step) bool { return strings.HasPrefix(s.Verb, "status-") }) {
		// The status of a ConfigMap is an annotation, which the other step would remove each time.
		o.Steps = slices.DeleteFunc(slices.Clone(o.Steps), func(s step) bool { return s.Verb == "annotate-replacing" })
	}
	return o
}

func (o operator) String() string {
	data, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return string(data)
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// names returns the keys in a fixed order.
func names[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// simpler returns operators with one part less.
func (o operator) simpler() []operator {
	var out []operator
	add := func(change func(*operator)) {
		c := o
		c.Steps, c.Faults, c.Users = slices.Clone(o.Steps), slices.Clone(o.Faults), slices.Clone(o.Users)
		change(&c)
		if c.String() != o.String() {
			out = append(out, c)
		}
	}
	for i := range o.Steps {
		add(func(c *operator) { c.Steps = slices.Delete(c.Steps, i, i+1) })
	}
	for i := range o.Users {
		add(func(c *operator) { c.Users = slices.Delete(c.Users, i, i+1) })
	}
	for i := range o.Faults {
		add(func(c *operator) { c.Faults = slices.Delete(c.Faults, i, i+1) })
	}
	for _, change := range []func(*operator){
		func(c *operator) { c.Objects = 1 }, func(c *operator) { c.Finalizer = "" }, func(c *operator) { c.Requeue = "" },
		func(c *operator) { c.Rewrite = false }, func(c *operator) { c.Watches = false }, func(c *operator) { c.Priority = false },
		func(c *operator) { c.Stale = false }, func(c *operator) { c.Context = false }, func(c *operator) { c.Protobuf = false },
		func(c *operator) { c.Generation = false }, func(c *operator) {
			if !slices.ContainsFunc(c.Steps, func(s step) bool { return s.Kind == configMap }) {
				c.Primary, c.Generation = configMap, false
			}
		},
	} {
		add(change)
	}
	for i := range o.Steps {
		for _, change := range []func(*step){
			func(s *step) { s.Second = false }, func(s *step) { s.Lossy = false }, func(s *step) { s.Replace = false }, func(s *step) { s.After = "" },
			func(s *step) { s.Lock = false }, func(s *step) { s.Always = false }, func(s *step) { s.Ignore = false },
		} {
			add(func(c *operator) { change(&c.Steps[i]) })
		}
	}
	return out
}
