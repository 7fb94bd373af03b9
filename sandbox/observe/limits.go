package observe

import "time"

// Bounds of the memory of an observer, in addition to the bounds of package writes.
const (
	// reorder is how long a write waits for writes with lower resourceVersions. Watches of different
	// resources delivered writes up to 20 ms late on a busy machine.
	reorder = 250 * time.Millisecond
	// maxPast is the number of resolved writes whose times are kept, for writes that arrive later.
	maxPast = 8192
	// maxEvents is the number of Events that wait for their objects' writes.
	maxEvents = 10_000
	// maxSpans is the number of spans of one trace. Later reactions of that trace are dropped.
	maxSpans = 10_000
	// maxTraces is the number of traces whose spans are counted. At the bound all counts start again.
	maxTraces = 10_000
	// exportInterval is the shortest time between two exports, each of which asks for the spans that
	// operators recorded in all of its traces.
	exportInterval = 200 * time.Millisecond
	// exportPacing is how much longer than an export the pause after it is, up to exportPause: many traces
	// at once are sent less often, with more spans each.
	exportPacing = 8
	// exportPause is the pause after a failed export, and maxUnsent the number of spans that are kept
	// for the next one. Further spans are dropped.
	exportPause = time.Second
	maxUnsent   = 20_000
	// recordWait is how long the span of a write by an operator that traces its writes waits for the
	// operator's own span. In a sandbox, operators send spans every 200 ms.
	recordWait = 2 * time.Second
	// exportLimit is the limit of one export, with the search for recorded spans.
	exportLimit = 10 * time.Second
	// maxStarts is the number of Pods whose start is one span. Writes of the kubelet to further ones
	// have spans of their own.
	maxStarts = 10_000
	// startWait is how long the kubelet's writes of a Pod wait until it is ready, and their parent has an
	// end. Then the parent is exported without one.
	startWait = 30 * time.Second
	// maxMessage is the length in bytes of an Event's text, and of its reason.
	maxMessage = 1024
	// maxParts is the number of steps of a Pod's start, and of Events of a span.
	maxParts = 64
)
