package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/operator-tracing/sandbox/sandbox/up"
)

func newLogs(shared *shared) *cobra.Command {
	var follow bool
	var lines int
	cmd := &cobra.Command{
		Use:   "logs [COMPONENT]",
		Short: "Print the logs of an embedded cluster's processes",
		Long: `logs prints the last lines that a process of an embedded cluster wrote, or without an argument those of all processes,
each line behind its process's name. It works while the sandbox is down or broken, too, as long as its state is there.

The components are ` + strings.Join(up.ProcessNames(), ", ") + `.`,
		Example:   "  go run ./sandbox logs operator -f\n  go run ./sandbox logs --tail=5",
		ValidArgs: up.ProcessNames(),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{fmt.Errorf("expected one component at most, got %d arguments", len(args))}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if lines < 0 {
				return usageError{fmt.Errorf("--tail=%d: use 0 or more", lines)}
			}
			run, err := attach(shared)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				err = run.Logs(cmd.Context(), cmd.OutOrStdout(), args[0], lines, follow)
			} else {
				err = allLogs(cmd.Context(), cmd.OutOrStdout(), run, lines, follow)
			}
			if errors.Is(err, up.ErrNoProcess) {
				return usageError{err}
			}
			if follow && cmd.Context().Err() != nil {
				return nil // Ctrl-C is how following ends.
			}
			return err
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is written from now on, until Ctrl-C")
	cmd.Flags().IntVar(&lines, "tail", 20, "`number` of last lines to begin with")
	return cmd
}

// allLogs prints every log. Those that are followed are mixed, line by line.
func allLogs(ctx context.Context, out io.Writer, run *up.Run, lines int, follow bool) error {
	names := up.ProcessNames()
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	if !follow {
		group.SetLimit(1) // One after the other, in their order.
	}
	for _, name := range names {
		group.Go(func() error {
			prefixed := &prefixed{mu: &mu, out: out, prefix: fmt.Sprintf("%-24s ", name)}
			err := run.Logs(ctx, prefixed, name, lines, follow)
			if errors.Is(err, fs.ErrNotExist) {
				return nil // It never ran: what the others wrote tells why.
			}
			return errors.Join(err, prefixed.flush())
		})
	}
	return group.Wait()
}

// prefixed writes whole lines, each behind a prefix, to a writer that it shares.
type prefixed struct {
	mu     *sync.Mutex
	out    io.Writer
	prefix string
	rest   []byte // of a line that has no end yet
}

func (p *prefixed) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rest = append(p.rest, data...)
	for {
		line, rest, found := bytes.Cut(p.rest, []byte("\n"))
		if !found {
			return len(data), nil
		}
		if _, err := fmt.Fprintf(p.out, "%s%s\n", p.prefix, line); err != nil {
			return 0, err
		}
		p.rest = rest
	}
}

// flush writes a last line that had no end.
func (p *prefixed) flush() error {
	if len(p.rest) == 0 {
		return nil
	}
	_, err := p.Write([]byte("\n"))
	return err
}
