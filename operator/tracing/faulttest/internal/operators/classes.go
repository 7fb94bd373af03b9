// Package operators has small operators with one bug each, and their corrected twins. The bugs do not show
// until a request fails, a process dies or a watch event is late. They prove that the plans of package
// faulttest find them.
package operators

import (
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/operators/thing"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

// Class is a class of bugs.
type Class struct {
	// Name is the name of the class, for names of tests.
	Name string
	// Bug says what the operator does wrong.
	Bug string
	// Buggy and Fixed are the operator with the bug and without it.
	Buggy, Fixed thing.Program
	// Updates reports whether the bug needs a change of the spec to show.
	Updates bool
	// Finds are the faults of which each finds the bug at one of the writes or triggers at least.
	Finds []plan.Fault
}

// Classes returns all classes in a fixed order.
func Classes() []Class {
	all := []Class{
		createOnce, generatedName, finalizer, conflict, memory, staleList,
		recreate, swallowed, ownerless, twoPhase, lease, external,
	}
	for i := range all {
		all[i].Buggy.Name = all[i].Name + "-buggy"
		all[i].Fixed.Name = all[i].Name + "-fixed"
	}
	return all
}

// simple returns the program of an operator without memory that reads from the API server.
func simple(run thing.Reconcile) thing.Program {
	return thing.Program{Create: func() thing.Reconcile { return run }}
}

// cached returns the program of an operator without memory that reads from its cache.
func cached(run thing.Reconcile) thing.Program {
	p := simple(run)
	p.Cached = true
	return p
}
