// Package triage says why a trace did not become complete. It decides by [Evidence],
// which package harness gathers when a wait has failed, and asks nobody itself:
// [Judge] is a function of what it is given. [Report] words it for people.
package triage
