package tracing

import "time"

// Bounds of this package's memory. Each comment says what happens at the bound. A bound never fails
// or delays the operator's work.
const (
	// maxReads is the number of objects that a reconcile remembers. When it is reached, further
	// objects are not remembered, except the reconciled object.
	maxReads = 64

	// maxWaiting is the number of reads and unchanged writes that wait for the span of their
	// reconcile. Further ones get no span, and are counted in operator.reconcile.spans_dropped.
	maxWaiting = 64

	// maxWaitingEvents is the number of events that a reconcile keeps until its span starts.
	// Further events are dropped.
	maxWaitingEvents = 16

	// minWait is the shortest read that counts as waiting.
	minWait = time.Millisecond

	// maxSkew is how far the API server's clock may be behind this process's clock when a managed
	// field decides whether a write raised a generation.
	maxSkew = time.Second

	// maxAttributes is the number of attributes that a reconcile's span keeps before it starts,
	// which is the SDK's default limit. Further attributes are dropped.
	maxAttributes = 128

	// maxCauses is the number of facts in the table of each TracerProvider, about 20 MiB: three for
	// each write, and one for each generation that was read. At least the newest half is kept. A
	// reconcile whose write was dropped is a root in the trace of the object's generation, which
	// the write has a link to.
	maxCauses = 100_000

	// maxPending is the number of writes in flight in the table. Further writes are recorded only
	// with their response.
	maxPending = 4096

	// maxProviders is the number of TracerProviders whose table is shared with later wrappers. A
	// further provider replaces the oldest.
	maxProviders = 64

	// maxLogged is the number of bytes of a logged annotation of an invalid context. Users choose
	// the value, which can have up to 256 KiB. The rest is replaced by "…".
	maxLogged = 128

	// maxAnnotations is the API server's limit on the bytes of all annotations, keys and values. An
	// object that would exceed it gets no context, because the write would fail.
	maxAnnotations = 256 << 10

	// maxLinks is the number of links of a reconcile's span: for the events that its queue
	// coalesced, and for a stale context. Links to the first events are kept; later events are only
	// counted.
	maxLinks = 10

	// maxQueued is the number of requests in the table of a queue. For further requests only the
	// attempt is recorded.
	maxQueued = 16384

	// maxQueuedAge is how long a request may stay ready in a full table. After that the queue is
	// assumed to have dropped the request, and the entry is removed.
	maxQueuedAge = time.Hour

	// sweepInterval is the minimum time between two searches of a full table for dropped requests.
	sweepInterval = time.Minute

	// maxNotes is the number of events that a queue's predicate remembers until their requests are
	// added. At the bound the oldest quarter is dropped; requests of those events have no trigger.
	maxNotes = 1024

	// maxNoteAge is how long after an event the predicate's note can explain why a request is
	// added. The predicate runs right before the handler that adds the request.
	maxNoteAge = time.Second

	// maxNames is the number of span names in the cache. Further names are built each time.
	maxNames = 1024
)
