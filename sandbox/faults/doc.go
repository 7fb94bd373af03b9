// Package faults runs the operator of a sandbox once for each plan of package inject: with one fault
// at one of its writes or at one event that it watches. It judges whether the operator still
// converges, leaves the same objects, and cleans up.
//
// [Run] puts an inject.Injector into the proxy before the operator (package proxy), restarts the
// operator for each plan, and applies the sample in a namespace of its own. The result is a
// report.Report (package report). The caller restores the operator.
package faults
