// Package observe derives traces from the changes of a cluster's objects. It only reads: operators
// need no change, and the API server no option.
//
// The watcher of package feed lists and watches a cluster. An [Observer] passes the changes to package writes, which
// finds the writer and the cause of each write, and exports a span for each: a reaction, which starts when
// its cause was written and ends with the write. So along a chain of causes, the durations add up to
// the whole time.
//
// The kubelet's work on a Pod is one span, "start Pod", from the binding until the Pod is ready. Its
// children are the kubelet's writes, and the phases of each container: pull, create, start and
// probe, whose limits are the kubelet's Events.
package observe
