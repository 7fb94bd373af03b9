package observe

import "time"

// Bounds of everything that an observer keeps.
const (
	// reorder is how long a write waits for writes with lower resourceVersions. Watches of different
	// resources delivered writes up to 20 ms late on a busy machine.
	reorder = 250 * time.Millisecond
	// burst is the longest pause between two writes of the same reconcile.
	burst = time.Second
	// maxPause is the longest pause after which a loop's previous write counts as the cause.
	maxPause = 10 * time.Minute
	// maxDeletePause is the same for deletes whose writer is unknown; later ones are a user's.
	maxDeletePause = 5 * time.Second
	// maxWrites is the number of writes that are kept for each object.
	maxWrites = 64
	// maxDeleted is the number of deleted objects that are kept as causes of later writes.
	maxDeleted = 4096
	// maxEvents is the number of Events that wait for their objects' writes.
	maxEvents = 10_000
	// maxMentions is the number of names that are kept of an object's references.
	maxMentions = 128
	// maxFields is the number of changed fields that a write names.
	maxFields = 32
	// maxSpans is the number of spans of one trace. Later reactions of that trace are dropped.
	maxSpans = 10_000
	// maxTraces is the number of traces whose spans are counted. At the bound the oldest are
	// forgotten.
	maxTraces = 10_000
)
