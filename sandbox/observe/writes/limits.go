package writes

import "time"

// Bounds of everything that a store keeps.
const (
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
	// maxMentions is the number of names that are kept of an object's references.
	maxMentions = 128
	// maxFields is the number of changed fields that a write names.
	maxFields = 32
)
