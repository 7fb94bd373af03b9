// Command certmanager contains cert-manager's controller, cainjector and webhook in one binary. A
// sandbox uses it if it cannot pull cert-manager's own images from a registry.
//
// The last element of argv[0] selects the program, so each program has its own link to the binary.
// The controllers and the webhook are cert-manager's own code, from the pkg and internal folders of
// its module. This package adds flags, defaults and the order of start, because upstream does not
// publish the modules that contain them. The programs accept the flags that cert-manager's Helm
// chart passes, and serve the ports that its probes use. The path of this module starts with
// cert-manager's module path, as the paths of upstream's own programs do. Only then does Go allow
// it to import the internal folder.
//
// Only the self-signed and CA issuers are linked. ACME, Vault, Venafi and the shims for Ingress and
// Gateway would add the SDKs of several clouds, and double the size of the binary.
package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/pflag"
)

// programs maps the name of a program to its main function. The function receives argv without
// argv[0].
var programs = map[string]func(ctx context.Context, args []string) error{
	"controller": runController,
	"cainjector": runCAInjector,
	"webhook":    runWebhook,
}

func main() {
	os.Exit(run(os.Args))
}

// run returns the exit code of the program that argv[0] names: 0 after success, SIGTERM or --help,
// 2 after a usage error, 1 after any other error.
func run(argv []string) int {
	name := filepath.Base(argv[0])
	program, known := programs[name]
	if !known {
		names := slices.Sorted(maps.Keys(programs))
		fmt.Fprintf(os.Stderr, "%s: not the name of a program; run this binary through a link with one of the names %s\n", name, strings.Join(names, ", "))
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	err := program(ctx, argv[1:])
	if err == nil || errors.Is(err, pflag.ErrHelp) || ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return 0
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
	if usage := (usageError{}); errors.As(err, &usage) {
		return 2
	}
	return 1
}

// usageError is an invalid argument, flag or configuration file. Other errors occur at run time.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }
