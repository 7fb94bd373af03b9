// Package doctor diagnoses problems of this machine that prevent a sandbox from working, with
// remedies.
//
// [Gather] collects [Facts]. [Examine] applies a list of small checks to them and returns a
// [Report]: findings with remedies, and for each [Mode] whether it can run here. Checks are pure
// functions, so each finding has a test with synthetic facts. Package up runs the quick part before
// each `sandbox up`, and all of it for `sandbox doctor`. The package does not change the machine,
// and connects only to the registries that the sandbox pulls from.
package doctor
