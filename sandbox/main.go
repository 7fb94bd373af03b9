// Command sandbox makes a Kubernetes cluster in which an operator's work can be seen as one trace. `sandbox --help` tells
// its commands; plan.go lists what `sandbox up` does.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/operator-tracing/sandbox/sandbox/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Execute(ctx, os.Args[1:], os.Stdout, os.Stderr, cli.Plan{Choice: choice, Steps: plan, Load: loadPlan, Fetches: fetches})
	stop()
	os.Exit(code)
}
