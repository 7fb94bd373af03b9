package show

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/traces"
	"github.com/operator-tracing/sandbox/sandbox/ui"
	"github.com/operator-tracing/sandbox/sandbox/view"
	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

// watchOptions are the flags of trace that follow an object.
type watchOptions struct {
	watch, untilComplete bool
	timeout              time.Duration
}

func (o *watchOptions) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVarP(&o.watch, "watch", "w", false, "live view of the object and its next traces until Ctrl-C; the object can be created later")
	flags.BoolVar(&o.untilComplete, "until-complete", false, "with --watch: exit when the trace is complete and the object ready")
	flags.DurationVar(&o.timeout, "watch-timeout", 0, "with --watch: time limit; an error with --until-complete (default no limit)")
}

func (o *watchOptions) check() error {
	if o.timeout < 0 {
		return command.Usagef("--watch-timeout=%s: use a positive duration", o.timeout)
	}
	return nil
}

// errEnough stops following.
var errEnough = errors.New("the trace is complete")

// watched displays the looks at a trace.
type watched interface {
	// show displays a look.
	show(traces.Look) error
	// close ends the display. The argument is the last look.
	close(traces.Look) error
}

// watchTrace displays an object's trace until ctx is cancelled, for example by Ctrl-C. It returns
// an error for a cancelled context only with untilComplete. The argument follow is
// lifecycle.Sandbox.Follow.
func watchTrace(ctx context.Context, out, progress io.Writer, o watchOptions, follow func(context.Context, func(traces.Look) error) error) error {
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.timeout)
		defer cancel()
	}
	display, err := newWatched(out, progress)
	if err != nil {
		return err
	}
	var last traces.Look
	err = follow(ctx, func(look traces.Look) error {
		last = look
		if err := display.show(look); err != nil {
			return err
		}
		if o.untilComplete && look.Waiting == "" {
			return errEnough
		}
		return nil
	})
	closing := display.close(last)
	switch {
	case errors.Is(err, errEnough):
		return closing
	case o.untilComplete && ctx.Err() != nil:
		why := "interrupted"
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			why = fmt.Sprintf("not within %s", o.timeout)
		}
		return errors.Join(fmt.Errorf("waiting for the trace to be complete: %s; last state: %s", why, last.Waiting), closing)
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return closing
	}
	return errors.Join(err, closing)
}

func newWatched(out, progress io.Writer) (watched, error) {
	if !ui.Drawable(out) {
		return &watchedLines{out: out, progress: progress}, nil
	}
	screen, err := ui.OpenScreen(out)
	return &watchedScreen{out: out, screen: screen}, err
}

// watchedScreen redraws the tree in place. The last tree stays on the terminal.
type watchedScreen struct {
	out    io.Writer
	screen *ui.Screen
	drawn  string
}

func (w *watchedScreen) show(look traces.Look) error {
	columns, _ := ui.Size(w.out)
	status := "complete; press Ctrl-C to exit"
	if look.Waiting != "" {
		status = "waiting: " + look.Waiting
	}
	var b bytes.Buffer
	b.WriteString(format.Cut(format.Escape(status), columns) + "\n")
	if look.Trace.ID != "" {
		b.WriteString(heading(look.Trace, columns) + "\n")
		if err := waterfall(look.Trace).WriteText(&b, view.TextOptions{Color: ui.Colored(w.out), Width: columns}); err != nil {
			return err
		}
	}
	if b.String() == w.drawn {
		return nil
	}
	w.drawn = b.String()
	return w.screen.Draw(w.drawn)
}

func (w *watchedScreen) close(last traces.Look) error {
	if err := w.screen.Close(); err != nil || last.Trace.Len() == 0 {
		return err
	}
	return writeTree(w.out, last.Trace, form{})
}

// watchedLines prints each span once, and the state of the wait as progress.
type watchedLines struct {
	out, progress   io.Writer
	traceID, waited string
	seen            map[string]bool
}

func (w *watchedLines) show(look traces.Look) error {
	if look.Waiting != w.waited && look.Waiting != "" {
		fmt.Fprintf(w.progress, "waiting: %s\n", format.Escape(look.Waiting))
	}
	w.waited = look.Waiting
	if look.Trace.Len() == 0 {
		return nil
	}
	if look.Trace.ID != w.traceID {
		w.traceID, w.seen = look.Trace.ID, map[string]bool{}
		if _, err := fmt.Fprintf(w.out, "trace %s\n", w.traceID); err != nil {
			return err
		}
	}
	return waterfall(look.Trace).WriteNew(w.out, w.seen)
}

func (w *watchedLines) close(traces.Look) error { return nil }
