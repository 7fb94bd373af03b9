// Package controller holds the two reconcilers of the reference operator.
//
// HeadReconciler keeps one ChildA per Head, ChildAReconciler one Deployment per
// ChildA; each mirrors the readiness of what it owns into its own status. Both
// have the same shape, written down once in steps.go: fetch the object, defer
// the only status write, then walk an ordered list of steps, of which the first
// that has a verdict about readiness ends the pass.
//
// The entry types are HeadReconciler and ChildAReconciler; the manager's wiring
// (package main of the operator) builds them, may wrap them, and hands them to
// SetupHead and SetupChildA.
//
// The package never traces: spans come from wrappers around the reconcilers and
// the client, so that reading it teaches what the operator does and nothing
// else. It never deletes anything either: owned objects go by garbage collection.
package controller
