package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1) //nolint:gocritic // stop only restores the handling of the signal.
	}
}

// run parses the arguments. The flags may follow the version.
func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: scripts/release.sh VERSION [--dry-run] [--remote=NAME]")
		flags.PrintDefaults()
	}
	r := release{root: ".", out: os.Stdout}
	flags.BoolVar(&r.dryRun, "dry-run", false, "change nothing, and print the changes, the tags and the push")
	flags.StringVar(&r.remote, "remote", "origin", "the git `remote` that receives the commit and the tags")
	var versions []string
	for len(args) > 0 {
		if err := flags.Parse(args); err != nil {
			return err
		}
		if args = flags.Args(); len(args) > 0 {
			versions, args = append(versions, args[0]), args[1:]
		}
	}
	if len(versions) != 1 {
		flags.Usage()
		return errors.New("want exactly one version")
	}
	r.version = versions[0]
	return r.run(ctx)
}
