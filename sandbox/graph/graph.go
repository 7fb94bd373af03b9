// Package graph runs the steps of a plan, each as soon as the steps that it needs have succeeded.
package graph

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/operator-tracing/sandbox/sandbox/selftrace"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

// Step is one step of a plan.
type Step struct {
	// Name identifies the step in progress output and in Needs.
	Name string
	// Needs are the names of the steps that must succeed before this one starts.
	Needs []string
	// Limit is the maximum time of the step. It must be positive.
	Limit time.Duration
	// Run executes the step. A repeated run must be cheap and change nothing. It reports its progress,
	// and its result last.
	Run func(ctx context.Context, report func(format string, args ...any)) error
}

// ErrInterrupted is the error of [Do] if its context is cancelled. It names no step, because
// which step ends first is chance. It is a [context.Canceled].
var ErrInterrupted error = interrupted{}

type interrupted struct{}

func (interrupted) Error() string {
	return "interrupted; finished steps stay, and the same command continues"
}

func (interrupted) Is(target error) bool { return target == context.Canceled }

// Do runs steps, each as soon as all steps that it needs have succeeded. The first error cancels the
// others and is returned with the name of its step. Needs must have no cycle. Each step is a child of
// the span in ctx, if selftrace started one. The reports of a step are events of its span.
func Do(ctx context.Context, progress *ui.Progress, steps []Step) error {
	if err := check(steps); err != nil {
		return err
	}
	group, running := errgroup.WithContext(ctx)
	done := map[string]chan struct{}{}
	for _, s := range steps {
		done[s.Name] = make(chan struct{})
	}
	for _, s := range steps {
		group.Go(func() error {
			for _, need := range s.Needs {
				select {
				case <-running.Done():
					return nil // Whatever ended the others says why.
				case <-done[need]:
				}
			}
			if err := s.run(running, progress); err != nil {
				return err
			}
			close(done[s.Name])
			return nil
		})
	}
	err := group.Wait()
	for _, s := range steps {
		select {
		case <-done[s.Name]:
		default:
			if errors.Is(ctx.Err(), context.Canceled) {
				return ErrInterrupted
			}
			return cmp.Or(err, fmt.Errorf("%s: not started: %w", s.Name, context.Cause(ctx)))
		}
	}
	return err
}

func (s Step) run(ctx context.Context, progress *ui.Progress) error {
	limited, cancel := context.WithTimeout(ctx, s.Limit)
	defer cancel()
	limited, span := selftrace.Tracer(ctx).Start(limited, s.Name, trace.WithAttributes(selftrace.NeedsKey.StringSlice(s.Needs)))
	defer span.End()
	shown := progress.Step(s.Name)
	err := s.Run(limited, func(format string, args ...any) {
		detail := fmt.Sprintf(format, args...)
		shown.Detail("%s", detail)
		if detail != "" {
			span.AddEvent(detail)
		}
	})
	if err != nil && limited.Err() == context.DeadlineExceeded && ctx.Err() == nil {
		err = fmt.Errorf("giving up after %s: %w", s.Limit, err)
	}
	if err != nil && ctx.Err() != nil {
		shown.Detail("stopped") // Another step failed, or the user interrupted the command.
	}
	shown.End(err)
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	return nil
}

// check finds mistakes in a plan: unknown needs, cycles, two steps with one name, steps without a
// limit.
func check(steps []Step) error {
	open := map[string][]string{}
	for _, s := range steps {
		if _, twice := open[s.Name]; twice {
			return fmt.Errorf("planning: step %q is listed twice", s.Name)
		}
		if s.Limit <= 0 {
			return fmt.Errorf("planning: step %q has no limit", s.Name)
		}
		open[s.Name] = slices.Clone(s.Needs)
	}
	for _, s := range steps {
		for _, need := range s.Needs {
			if _, listed := open[need]; !listed {
				return fmt.Errorf("planning: step %q needs %q, which is not listed", s.Name, need)
			}
		}
	}
	for len(open) > 0 {
		ended := len(open)
		for name, needs := range open {
			if !slices.ContainsFunc(needs, func(need string) bool { _, waits := open[need]; return waits }) {
				delete(open, name)
			}
		}
		if len(open) == ended {
			return fmt.Errorf("planning: steps wait for each other: %s", strings.Join(slices.Sorted(maps.Keys(open)), ", "))
		}
	}
	return nil
}

// Planned removes needs that are not in the plan: in a smaller plan they have ended before.
func Planned(steps []Step) []Step {
	for i := range steps {
		steps[i].Needs = slices.DeleteFunc(slices.Clone(steps[i].Needs), func(need string) bool {
			return !slices.ContainsFunc(steps, func(s Step) bool { return s.Name == need })
		})
	}
	return steps
}
