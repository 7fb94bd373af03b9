// Package controller contains the two reconcilers of the reference operator.
//
// HeadReconciler keeps one ChildA for each Head, and ChildAReconciler keeps one Deployment for each ChildA.
// Both copy the readiness of the owned object to the status of its owner. Both have the same structure, which
// steps.go defines: read the object, defer the only status write, and run a list of steps. The first step that
// returns a verdict about readiness ends the reconcile.
//
// The entry types are HeadReconciler and ChildAReconciler. Package main creates them and calls their
// SetupWithManager.
//
// The package contains no tracing code. The operator's manager is wrapped with the tracing library, which
// traces the reconcilers, their queues and the client.
package controller
