// Package up brings a sandbox up: the steps, what they share, and the order they run in.
//
// A [Run] is one `sandbox up`; its methods are the steps, which sandbox/plan.go lists with what each needs, and [Do]
// runs that list, independent steps at the same time. The same Run, opened by [Open], is what the other commands look
// at a sandbox with. Steps change the cluster through packages cluster and install; they never print, and they hold
// the sandbox's lock for as long as they run.
package up
