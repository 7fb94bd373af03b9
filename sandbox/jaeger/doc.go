// Package jaeger reads traces from a Jaeger, the sandbox's or any other, for tests
// of what a service traces.
//
// A test does something that is traced, learns the trace's id, from a traceparent
// header that it sent, say, and waits until the trace is complete:
//
//	client, err := jaeger.Dial("http://127.0.0.1:16686")
//	...
//	tree, err := spantree.Parse("order.tree", "POST /orders [SERVER service=shop]\n  SELECT orders [CLIENT]\n  ...")
//	...
//	_, err = jaeger.WaitComplete(ctx, client, traceID, jaeger.Conditions{Tree: tree})
//	if err != nil {
//		t.Fatal(err) // which condition failed, and both trees
//	}
//
// Only [TraceIDOf], [Continuation] and [FindCurrent] know Kubernetes and the library
// operator/tracing of this repository.
//
// # Reading
//
// [Dial] gives a [Client] of either query interface: api_v2 over gRPC (port 16685)
// or api_v3 over HTTP (port 16686). A [Trace] gives the same spans of package
// spantree whichever it came by. Over HTTP it is whole, too: [Trace.OTLP] is what
// was sent, where api_v2 loses some of it, and keeps a parent even if a span links
// to it. [Client.FindTraces] searches by service, operation, tags, durations and
// times; with tags gRPC is the better choice for a Jaeger up to v2.13.
//
// Jaeger's limits are the client's: an answer of more than [DefaultMaxSize] bytes,
// one that ends early, and a search that finds more than its limit are
// [ErrTruncated], never a part that looks like the whole. [ErrUnreachable],
// [ErrUnauthorized] and [ErrNotFound] are the other kinds of an [Error], which says
// what to try. Every call ends with its context, and after [DefaultTimeout].
//
// # Waiting
//
// Spans come late, in batches, and children before parents. [WaitComplete] waits
// until the expected spans are there, no parent is missing, nothing new came for a
// while, and the object that the trace is about, if any, is ready. [Complete]
// also tells when each of the four began to hold. Both give an
// *[IncompleteError] with all of it when the time is over.
//
// # Trees of several traces
//
// An operator reacts to the write of another process in a trace of its own, to which
// the span of the write has a link. [ReadTree] reads a trace with all that continue it
// and returns them as one tree; [WaitComplete] waits for the whole tree. [FindCurrent]
// finds the tree of an object, and [Origin] the trace in which a change began.
//
// # Files
//
// [Trace.JSON] writes OTLP JSON, [ReadOTLP] reads it, from collectors and others
// too, and a [Sender] sends traces to Jaeger again: what failed in CI can be looked
// at elsewhere (see also `sandbox trace import --help`). [FromOTLP] makes traces of
// spans from anywhere, for tests without a Jaeger.
package jaeger
