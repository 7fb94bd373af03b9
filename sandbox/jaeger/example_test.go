package jaeger_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// orderTree is the expected tree of an order in a shop. In a test it is a file.
const orderTree = `POST /orders [SERVER service=shop status=Ok http.response.status_code=201]
  SELECT orders [CLIENT status=Error db.system.name]  # the test database deadlocks once
  publish order [PRODUCER]
    process order [CONSUMER service=stock]
      reserve [status=any]
      ...
`

// shopJaeger stands for the Jaeger that the shop sends its spans to.
func shopJaeger() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := os.ReadFile(filepath.Join("testdata", "shop.api_v3.json"))
		if err != nil || filepath.Base(r.URL.Path) != "5b8efff798038103d269b633813fc60c" {
			http.Error(w, `{"error":{"httpCode":404,"message":"No traces found"}}`, http.StatusNotFound)
			return
		}
		_, _ = w.Write(answer)
	}))
}

// A test of a service's traces: it makes a request with a traceparent header of its own, so that it
// knows the id, and waits for the trace.
func Example() {
	server := shopJaeger()
	defer server.Close()
	client, err := jaeger.Dial(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	tree, err := spantree.Parse("order.tree", orderTree)
	if err != nil {
		fmt.Println(err)
		return
	}
	const traceID = "5b8efff798038103d269b633813fc60c" // The id in the traceparent header.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	trace, err := tracetree.WaitComplete(ctx, client, traceID, tracetree.Conditions{Tree: tree, Quiet: 10 * time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(trace.Len(), "spans, as expected")
	// Output: 6 spans, as expected
}

// An IncompleteError contains the failed conditions and the differences to the expected tree.
func Example_incomplete() {
	server := shopJaeger()
	defer server.Close()
	client, err := jaeger.Dial(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	tree, err := spantree.Parse("order.tree", "POST /orders\n  charge card\n  ...")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = tracetree.WaitComplete(context.Background(), client, "5b8efff798038103d269b633813fc60c", tracetree.Conditions{
		Tree: tree, Quiet: time.Millisecond, Poll: time.Millisecond, Timeout: 100 * time.Millisecond,
	})
	var incomplete *tracetree.IncompleteError
	if errors.As(err, &incomplete) {
		for _, state := range incomplete.States {
			fmt.Println(state.Condition, "holds:", state.Holds)
		}
		for _, difference := range incomplete.Result.Differences() {
			fmt.Println(difference.Type, difference.Want)
		}
	}
	// Output:
	// expected spans holds: false
	// no missing parents holds: true
	// quiet period holds: true
	// object ready holds: false
	// missing charge card
}

// Use errors.Is to distinguish the kinds of errors. Their messages contain a remedy.
func ExampleClient_GetTrace() {
	server := shopJaeger()
	defer server.Close()
	client, err := jaeger.Dial(server.URL, jaeger.WithBearerToken("secret"), jaeger.WithTimeout(5*time.Second))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	_, err = client.GetTrace(context.Background(), "0af7651916cd43dd8448eb211c80319c")
	switch {
	case errors.Is(err, tracetree.ErrNotFound):
		fmt.Println("no span of it has come yet")
	case errors.Is(err, tracetree.ErrUnreachable), errors.Is(err, tracetree.ErrUnauthorized), errors.Is(err, tracetree.ErrTruncated):
		fmt.Println("that is another matter:", err)
	}
	// Output: no span of it has come yet
}

// The latest failed orders, by gRPC.
func ExampleClient_FindTraces() {
	client, err := jaeger.Dial("127.0.0.1:16685")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	traces, err := client.FindTraces(context.Background(), tracetree.Query{
		Service: "shop", Operation: "POST /orders", Tags: map[string]string{"error": "true"},
		From: time.Now().Add(-time.Hour), MinDuration: 100 * time.Millisecond, Limit: 20,
	})
	if err != nil && !errors.Is(err, tracetree.ErrTruncated) {
		fmt.Println(err)
		return
	}
	for _, trace := range traces {
		fmt.Print(trace.Forest())
	}
}

// Send a trace from a file to Jaeger.
func ExampleSender_Send() {
	data, err := os.ReadFile("trace.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	traces, err := tracetree.ReadOTLP("trace.json", data)
	if err != nil {
		fmt.Println(err)
		return
	}
	sender, err := jaeger.DialOTLP("127.0.0.1:4317")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sender.Close()
	for _, trace := range traces {
		if err := sender.Send(context.Background(), trace); err != nil {
			fmt.Println(err)
		}
	}
}
