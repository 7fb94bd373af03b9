// Command sandbox creates a Kubernetes cluster that shows the work of an operator as one trace.
// `sandbox --help` lists its commands; plan.go lists the steps of `sandbox up`. With the name
// kubectl-observe it is the kubectl plugin `kubectl observe`.
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	cli.Silence(os.Args[1:])
	execute := cli.ExecutePlugin
	if !hint.IsPlugin(os.Args[0]) {
		hint.Start()
		execute = cli.Execute
	}
	code := execute(ctx, os.Args[1:], os.Stdout, os.Stderr, cli.Plan{Choice: choice, Steps: plan, Load: loadPlan, Sample: samplePlan, Fetches: fetches})
	stop()
	os.Exit(code)
}
