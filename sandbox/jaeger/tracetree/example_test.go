package tracetree_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

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
	tree, err := spantree.Parse("order.tree", "POST /orders [SERVER service=shop]\n  ...")
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
