package reference_test

import (
	"fmt"

	"github.com/operator-tracing/sandbox/sandbox/project/reference"
)

func ExampleNames() {
	fmt.Println(reference.Names("--address=$(HOST):$(PORT) --literal=$$(USER)"))
	// Output: [HOST PORT]
}

func ExampleExpand() {
	fmt.Println(reference.Expand("--address=$(HOST):$(PORT) --literal=$$(HOST)", map[string]string{"HOST": "127.0.0.1"}))
	// Output: --address=127.0.0.1:$(PORT) --literal=$(HOST)
}
