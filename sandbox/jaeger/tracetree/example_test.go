package tracetree_test

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
		answer, err := os.ReadFile(filepath.Join("..", "testdata", "shop.api_v3.json"))
		if err != nil || filepath.Base(r.URL.Path) != "5b8efff798038103d269b633813fc60c" {
			http.Error(w, `{"error":{"httpCode":404,"message":"No traces found"}}`, http.StatusNotFound)
			return
		}
		_, _ = w.Write(answer)
	}))
}

// An IncompleteError contains the failed conditions and the differences to the expected tree.
func ExampleWaitComplete() {
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

// A trace in a file needs no Jaeger to be compared.
func ExampleReadOTLP() {
	name := filepath.Join("..", "testdata", "shop.otlp.json")
	data, err := os.ReadFile(name)
	if err != nil {
		fmt.Println(err)
		return
	}
	traces, err := tracetree.ReadOTLP(name, data)
	if err != nil {
		fmt.Println(err)
		return
	}
	tree, err := spantree.Parse("order.tree", orderTree)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(spantree.Match(tree, traces[0].Forest()).OK())

	_, err = tracetree.ReadOTLP("cut.json", data[:200])
	fmt.Println(err)
	// Output:
	// true
	// cut.json:14: at byte 200: incomplete JSON; the file may be truncated
}
