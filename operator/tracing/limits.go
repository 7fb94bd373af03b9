package tracing

import "time"

// Everything that this package keeps is bounded. Each bound says what happens there; none of them ever
// fails or delays what the operator does.
const (
	// maxReads is how many objects a reconcile remembers as it read them. A full memory keeps what it has
	// and refuses others, but for the reconciled object.
	maxReads = 64

	// maxWaiting is how many reads and unchanged writes a reconcile keeps for spans until its own span starts. Others get none,
	// and are counted in operator.reconcile.spans_dropped.
	maxWaiting = 64

	// maxWaitingEvents is how many events a reconcile keeps until its span starts. Later ones are dropped.
	maxWaitingEvents = 16

	// minWait is the shortest read that counts as waiting.
	minWait = time.Millisecond

	// maxSkew is how far the API server's clock may be behind this process' when a managed field decides who wrote a generation.
	maxSkew = time.Second

	// maxAttributes is how many attributes a reconcile's span takes before it starts, as many as the SDK takes
	// by default. Others are dropped.
	maxAttributes = 128

	// maxCauses is how many facts the table of writes holds for each TracerProvider, some 20 MiB: three for a write, and one for
	// a generation that was read. At least half of them are kept. A reconcile whose write is forgotten is a root in the trace of
	// the object's generation, to which the write has a link.
	maxCauses = 100_000

	// maxPending is how many writes in flight the table knows. More have no effect until they are answered.
	maxPending = 4096

	// maxProviders is how many TracerProviders have a table that further wrappers share. The oldest is forgotten for the next.
	maxProviders = 64

	// maxLogged is how many bytes of an invalid context's value are logged: users choose it, up to 256 KiB.
	// The rest is left out, marked by "…".
	maxLogged = 128

	// maxAnnotations is how many bytes of annotations, keys and values, the API server takes. An object that
	// would have more with a context than that gets none, for the write would fail.
	maxAnnotations = 256 << 10

	// maxLinks is how many links a reconcile span has for the events that its queue coalesced, together with
	// the one for a stale context. The contexts of the first events are kept; later ones are only counted.
	maxLinks = 10

	// maxQueued is how many requests the side table of a queue holds. Others are not recorded, so that
	// their reconciles have no attributes of what happened in the queue, but for the attempt.
	maxQueued = 16384

	// maxQueuedAge is how long after it became ready a request may wait in a full side table. Then it is
	// taken for one that its queue has lost, and its place is given to others.
	maxQueuedAge = time.Hour

	// sweepInterval is how often at most a full side table is searched for lost requests.
	sweepInterval = time.Minute

	// maxNotes is how many events the predicate of a queue remembers until their requests are added. At the
	// cap the oldest quarter is forgotten: their requests have no trigger.
	maxNotes = 1024

	// maxNoteAge is how long an event that the predicate saw can explain why a request is added. The
	// predicate runs right before the handler that adds it.
	maxNoteAge = time.Second

	// maxNames is how many names of spans are remembered. Others are made anew each time.
	maxNames = 1024
)
