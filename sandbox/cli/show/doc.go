// Package show has the commands that print traces: `sandbox trace` prints or follows the trace of
// an object, and `sandbox trace import` loads recorded traces into Jaeger.
package show
