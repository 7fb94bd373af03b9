// Package faulttest tests whether an operator converges after a crash, a conflict or a lost answer at
// every single write, and after each late or lost event.
//
// [Run] is the whole test:
//
//	func TestFaults(t *testing.T) {
//		faulttest.Run(t, faulttest.Operator{Start: start, Apply: apply, Ready: ready},
//			faulttest.Options{CRDs: []string{"../config/crd"}})
//	}
//
// It runs the operator twice without a fault against a test API server (envtest) and records its
// writes. For each write and each kind of fault it then runs the operator in a namespace of its own
// with that fault. The operator must become ready again, leave the same objects, and create none
// twice. Each run is a subtest with the name of its plan, for example "write:3,kill-after".
package faulttest
