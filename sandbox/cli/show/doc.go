// Package show has the commands that print traces: `sandbox trace` prints or follows the trace of
// an object, `sandbox trace import` loads recorded traces into Jaeger, and `sandbox observe` derives
// a trace from the changes of any cluster.
package show
