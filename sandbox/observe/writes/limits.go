package writes

import "time"

// Bounds of everything that a store keeps.
const (
	// burst is the longest pause between two writes of the same reconcile.
	burst = time.Second
	// habitRatio is how often two writes of a controller follow each other, for each time that another
	// write is between them, if the controller makes both in one reconcile.
	habitRatio = 2
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
	// maxObjects is the number of objects that are known. At the bound the oldest deleted one is
	// forgotten and, without one, further objects are ignored.
	maxObjects = 100_000
	// maxLoops and maxManagers are the numbers of loops, and of managers with the kinds that they
	// write. At the bound any one is forgotten.
	maxLoops    = 100_000
	maxManagers = 10_000
	// maxEntries is the number of labels, owners, conditions, and field managers that are kept of an
	// object each; of managers the latest.
	maxEntries = 64
	// maxNames is the number of fields that are hashed one by one. maxText is the length in bytes of
	// names that an object chooses freely, which are clipped.
	maxNames = 256
	maxText  = 256
	// maxClimb is the number of objects above an updated one among which its updater is searched.
	maxClimb = 8
	// sweep is the interval at which old writes are forgotten.
	sweep = 10 * time.Second
	// maxFields is the number of changed fields that a write names.
	maxFields = 32
)
