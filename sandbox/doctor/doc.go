// Package doctor tells what on this machine keeps a sandbox from working, or will, and what to do about it.
//
// [Gather] collects [Facts], [Examine] judges them by a literal list of small checks and returns a [Report]: findings, each
// with a remedy, and for each [Mode] whether it can run here. Judging asks nobody anything, so every finding has a test that
// makes up its facts. Package up calls it: the quick part before each `sandbox up`, all of it for `sandbox doctor`. It never
// changes the machine, and talks to no host but the registries that the sandbox pulls from.
package doctor
