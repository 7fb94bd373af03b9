package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/e2e/harness"
	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
)

// failureLimit is the maximum time until the operator logs lost spans. The timeout of the exporter
// is 10 s.
const failureLimit = 90 * time.Second

func TestJaegerDown(t *testing.T) {
	var failures int // The number of lines in the operator's log before Jaeger stopped.
	var down time.Time
	var created creation
	f := newFeature("the operator works while Jaeger is down", needPods).
		assess("Jaeger goes away", func(ctx context.Context, s *step) {
			s.Restore(ctx, 3*time.Minute, "bringing Jaeger back", func(ctx context.Context) error { return s.StartJaeger(ctx) })
			lines, err := s.ExportFailures(ctx)
			if err != nil {
				s.Fatal(err)
			}
			failures, down = len(lines), time.Now()
			if err := s.StopJaeger(ctx); err != nil {
				s.Fatal(err)
			}
		}).
		assess("a new Head becomes ready", func(ctx context.Context, s *step) {
			if _, err := s.CreateHead(ctx, "unseen", nil); err != nil {
				s.Fatal(err)
			}
			if err := s.WaitReady(ctx, "unseen"); err != nil {
				s.Fatal(err)
			}
		}).
		assess("a changed Head becomes ready", func(ctx context.Context, s *step) {
			if _, err := updateHead(ctx, s.Fixture, "unseen", func(head *v1alpha1.Head) { head.Spec.ChildA = harness.OtherImage }); err != nil {
				s.Fatal(err)
			}
			if err := s.WaitReady(ctx, "unseen"); err != nil {
				s.Fatal(err)
			}
		}).
		assess("the operator says so, once a minute at most", func(ctx context.Context, s *step) {
			err := harness.Eventually(ctx, failureLimit, "lost spans in the operator's log", func(ctx context.Context) error {
				lines, err := s.ExportFailures(ctx)
				if err != nil {
					return err
				}
				if len(lines) == failures {
					return errors.New("no new line")
				}
				if most := 1 + int(time.Since(down)/time.Minute); len(lines)-failures > most {
					s.Fatalf("%d lines in %s, want %d at most: %q", len(lines)-failures, time.Since(down), most, lines[failures:])
				}
				return nil
			})
			if err != nil {
				s.Fatal(err)
			}
		}).
		assess("Jaeger comes back", func(ctx context.Context, s *step) {
			if err := s.StartJaeger(ctx); err != nil {
				s.Fatal(err)
			}
			// The operator's exporter reconnects in its own time, and gRPC waits up to two minutes
			// between attempts. The test creates Heads until a trace arrives.
			try := 0
			err := harness.Eventually(ctx, 3*time.Minute, "the trace of a new Head", func(ctx context.Context) error {
				try++
				head, err := s.CreateHead(ctx, fmt.Sprintf("seen-%d", try), nil)
				if err != nil {
					return err
				}
				_, err = s.FirstSpans(ctx, head, 10*time.Second)
				return err
			})
			if err != nil {
				s.Fatal(err)
			}
		})
	created.assess(f).run(t)
}
