// Command sandbox creates a Kubernetes cluster that shows the work of an operator as one trace.
// `sandbox --help` lists its commands; plan.go lists the steps of `sandbox up`.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/operator-tracing/sandbox/sandbox/cli"
	"github.com/operator-tracing/sandbox/sandbox/hint"
)

func main() {
	hint.Start()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Execute(ctx, os.Args[1:], os.Stdout, os.Stderr, cli.Plan{Choice: choice, Steps: plan, Load: loadPlan, Fetches: fetches})
	stop()
	os.Exit(code)
}
