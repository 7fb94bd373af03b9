package command

import (
	"fmt"
)

func Example_envName() {
	fmt.Println(envName("otlp-grpc-port"))
	// Output: SANDBOX_OTLP_GRPC_PORT
}
