// Package triage explains why a trace did not become complete. It decides from [Evidence], which
// package harness gathers after a failed wait. It reads nothing itself: [Judge] is a pure function.
// [Report] is its text.
package triage
