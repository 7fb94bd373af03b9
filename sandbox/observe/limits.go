package observe

import "time"

// Bounds of what an observer keeps, beside those of package writes.
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
	// maxTraces is the number of traces whose spans are counted. At the bound the oldest are
	// forgotten.
	maxTraces = 10_000
	// exportPause is the pause after a failed export, and maxUnsent the number of spans that are kept
	// for the next one. Further spans are dropped.
	exportPause = time.Second
	maxUnsent   = 20_000
	// recordWait is how long the span of a write by an operator that traces its writes waits for the
	// operator's own span. In a sandbox, operators send spans every 200 ms.
	recordWait = 2 * time.Second
	// maxParts is the number of steps of a Pod's start, and of Events of a span.
	maxParts = 64
)
