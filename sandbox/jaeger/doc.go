// Package jaeger reads traces from any Jaeger, for tests of the traces of a service.
//
// A test performs a traced operation, obtains the trace id (for example from a traceparent header
// that it sent), and waits until the trace is complete:
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
// Only [TraceIDOf], [Continuation] and [FindCurrent] are specific to Kubernetes and to the library
// operator/tracing of this repository.
//
// # Reading
//
// [Dial] returns a [Client] for one of the two query interfaces: api_v2 over gRPC (port 16685) or
// api_v3 over HTTP (port 16686). [Trace.Spans] returns the same spans for both. [Trace.OTLP] is
// complete only over HTTP, because api_v2 loses some fields. Over HTTP, a span also keeps its
// parent if it links to it. [Client.FindTraces] searches by service, operation, tags, durations and
// times. For searches by tags in Jaeger up to v2.13, prefer gRPC.
//
// A response with more than [DefaultMaxSize] bytes, an incomplete response, and a search with more
// results than its limit return [ErrTruncated]. The other kinds of an [Error] are [ErrUnreachable],
// [ErrUnauthorized] and [ErrNotFound]. An Error has a remedy. Every call ends when its context is
// done, or after [DefaultTimeout].
//
// # Waiting
//
// Spans arrive late, in batches, and children before parents. [WaitComplete] waits until the
// expected spans exist, no parent is missing, no new span arrived for a while, and the object of
// the trace, if any, is ready. [Complete] also returns when each of these four conditions became
// true. After a timeout, both return an *[IncompleteError] with all details.
//
// # Trees of several traces
//
// An operator reacts to the write of another process in a separate trace. The span of the write has
// a link to it. [ReadTree] reads a trace with all its continuations and returns them as one tree.
// [WaitComplete] waits for the whole tree. [FindCurrent] finds the tree of an object, and [Origin]
// the trace in which a change started.
//
// # Files
//
// [Trace.JSON] writes OTLP JSON. [ReadOTLP] reads it, including files of collectors. A [Sender]
// sends traces to Jaeger, for example to inspect a failure in CI on another machine (see also
// `sandbox trace import --help`). [FromOTLP] creates traces from spans, for tests without Jaeger.
package jaeger
