//go:build lifecycle

package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"sigs.k8s.io/e2e-framework/pkg/envconf"

	"github.com/operator-tracing/sandbox/e2e/harness"
)

// TestFault disturbs a cluster as much as possible and then ends as E2E_FAULT requests. It only
// exists in a build with the tag lifecycle. Package faults/embedded checks the state afterwards.
func TestFault(t *testing.T) {
	f := newFeature("ends as E2E_FAULT requests", needPods)
	if os.Getenv("E2E_FAULT") == "setup" {
		f.builder.Setup(func(ctx context.Context, t *testing.T, _ *envconf.Config) context.Context {
			disturb(ctx, &step{T: t, Fixture: f.fixture})
			t.Fatal("the feature's setup fails")
			return ctx
		})
	}
	f.assess("it disturbs the cluster", disturb).
		assess("it ends", func(ctx context.Context, s *step) {
			switch os.Getenv("E2E_FAULT") {
			case "panic":
				panic("asked to")
			case "fatal":
				s.Fatal("asked to")
			default:
				<-ctx.Done() // The end is a signal or the time limit.
			}
		}).run(t)
}

// disturb reverts only the operator's variables. The harness must revert everything else.
func disturb(ctx context.Context, s *step) {
	if err := s.ChangeOperator(ctx, map[string]string{harness.ConvergedAgeVariable: "7m"}); err != nil {
		s.Fatal(err)
	}
	if _, err := s.CreateHead(ctx, "left", nil); err != nil {
		s.Fatal(err)
	}
	if err := s.Cordon(ctx); err != nil {
		s.Fatal(err)
	}
	if err := s.BreakWebhook(ctx); err != nil {
		s.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "fault-")
	if err != nil {
		s.Fatal(err)
	}
	fmt.Printf("\nfault: %s is ready at %s\n", folder, time.Now().Format(time.TimeOnly))
}
