package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	ctrl "sigs.k8s.io/controller-runtime"
)

const (
	exitOK = iota
	exitFailed
	exitUsage
)

func main() {
	os.Exit(run(os.Args[1:], os.LookupEnv, os.Stderr))
}

// run is main with its inputs as arguments. It returns the exit code.
func run(args []string, env func(string) (string, bool), stderr io.Writer) int {
	opts, err := parseOptions(args, env, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "operator: %v\n", err)
		return exitUsage
	}
	logger := opts.logger(stderr)
	if err := serve(ctrl.SetupSignalHandler(), opts, logger); err != nil {
		logger.Error(err, "Operator failed")
		return exitFailed
	}
	return exitOK
}
