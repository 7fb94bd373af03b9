// Command certmanager is cert-manager's controller, cainjector and webhook in one binary, for clusters where no
// registry serves cert-manager's own images.
//
// The name it is called by (argv[0], so a link per program) chooses the program. The code that does the work is
// cert-manager's own, from its module's pkg and internal folders; what is written here is what upstream keeps in modules
// that it doesn't publish: flags, defaults and the order in which things start. The programs take the flags that
// cert-manager's Helm chart passes and serve the ports that its probes ask. The module's path starts with
// cert-manager's, as those of upstream's own programs do, because Go then lets it import the internal folder.
//
// Only the self-signed and CA issuers are linked. ACME, Vault, Venafi and the shims for Ingress and Gateway would bring
// the SDKs of several clouds and double the binary.
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

// programs maps the name of a program to its main function, which gets its arguments without argv[0].
var programs = map[string]func(ctx context.Context, args []string) error{
	"controller": runController,
	"cainjector": runCAInjector,
	"webhook":    runWebhook,
}

func main() {
	os.Exit(run(os.Args))
}

// run returns the exit code: 0 also after SIGTERM and --help, 2 for wrong usage.
func run(argv []string) int {
	name := filepath.Base(argv[0])
	program, known := programs[name]
	if !known {
		names := slices.Sorted(maps.Keys(programs))
		fmt.Fprintf(os.Stderr, "%s: call this binary through a link named %s\n", name, strings.Join(names, ", "))
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	err := program(ctx, argv[1:])
	var usage usageError
	switch {
	case err == nil, errors.Is(err, pflag.ErrHelp), ctx.Err() != nil && errors.Is(err, context.Canceled):
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 2
	default:
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 1
	}
}

// usageError is a wrong flag or value, as opposed to something that failed while running.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }
