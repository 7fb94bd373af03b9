// Package jaeger reads traces from any Jaeger, for tests of the traces of a service.
//
// A test performs a traced operation, obtains the trace id (for example from a traceparent header
// that it sent), and waits until the trace is complete:
//
//	client, err := jaeger.Dial("http://127.0.0.1:16686")
//	...
//	tree, err := spantree.Parse("order.tree", "POST /orders [SERVER service=shop]\n  SELECT orders [CLIENT]\n  ...")
//	...
//	_, err = tracetree.WaitComplete(ctx, client, traceID, tracetree.Conditions{Tree: tree})
//	if err != nil {
//		t.Fatal(err) // which condition failed, and both trees
//	}
//
// Package tracetree has the conditions, the trees of several traces, and files.
//
// # Reading
//
// [Dial] returns a [Client] for one of the two query interfaces: api_v2 over gRPC (port 16685) or
// api_v3 over HTTP (port 16686). [tracetree.Trace.Spans] returns the same spans for both.
// [tracetree.Trace.OTLP] is complete only over HTTP, because api_v2 loses some fields. Over HTTP, a
// span also keeps its parent if it links to it. [Client.FindTraces] searches by service, operation,
// tags, durations and times. For searches by tags in Jaeger up to v2.13, prefer gRPC.
//
// A response with more than [DefaultMaxSize] bytes, an incomplete response, and a search with more
// results than its limit return [tracetree.ErrTruncated]. The other kinds of an [Error] are
// [tracetree.ErrUnreachable], [tracetree.ErrUnauthorized] and [tracetree.ErrNotFound]. An Error has
// a remedy. Every call ends when its context is done, or after [DefaultTimeout].
//
// # Sending
//
// A [Sender] sends traces to Jaeger, for example to inspect a failure in CI on another machine (see
// also `sandbox trace import --help`). [WaitStored] waits until Jaeger has stored them.
package jaeger
