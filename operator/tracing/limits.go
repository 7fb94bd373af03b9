package tracing

// Everything that this package keeps is bounded. Each bound says what happens there; none of them ever
// fails or delays what the operator does.
const (
	// maxReads is how many objects a reconcile remembers as it read them. A full memory keeps what it has
	// and refuses others, but for the reconciled object.
	maxReads = 64

	// maxGenerations is how many generations of objects a wrapped client remembers for their spans
	// "converge {Kind}". The oldest is forgotten for the next: were it still to converge, and had no context
	// with the time of its start, its span would be short.
	maxGenerations = 8192

	// maxLogged is how many bytes of an invalid context's value are logged: users choose it, up to 256 KiB.
	// The rest is left out, marked by "…".
	maxLogged = 128

	// maxNames is how many names of spans are remembered. Others are made anew each time.
	maxNames = 1024
)
