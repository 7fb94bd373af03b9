package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/operator-tracing/sandbox/sandbox/cause"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// obstacleInterval is the pause between two looks for an obstacle.
const obstacleInterval = 2 * time.Second

// startSample starts the sample. It ends the wait for its condition early if the operator repeats an
// error that does not pass, such as a missing permission, unless a Pod of the sample is starting. The
// error of any other failure has the last error in the operator's log.
func (s *Sandbox) startSample(ctx context.Context, report report) error {
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	obstacles := &cause.Obstacles{Name: component.Operator, Simulated: s.kind == component.Embedded}
	var said atomic.Value
	var watches sync.WaitGroup
	watches.Go(func() {
		lines := &workload.LineWriter{Mutex: &sync.Mutex{}, Out: obstacles}
		_ = s.cluster.Logs(running, lines, component.Operator, provider.LogOptions{Follow: true}) // Without the log, the wait is longer.
	})
	watches.Go(func() {
		_ = wait.PollUntilContextCancel(running, obstacleInterval, false, func(ctx context.Context) (bool, error) { // It ends with running.
			status, _ := said.Load().(string)
			if cause.Remedy(status) != "" {
				_, _ = obstacles.Write([]byte(status)) // It returns no error.
			}
			found := obstacles.Found()
			if found == nil || s.sampleStarts(ctx) {
				return false, nil
			}
			cancel(found)
			return true, nil
		})
	})
	err := s.cluster.Start(running, component.Named(component.Sample), func(format string, args ...any) {
		report(format, args...)
		said.Store(fmt.Sprintf(format, args...))
	})
	obstacle, blocked := errors.AsType[*cause.Obstacle](context.Cause(running))
	cancel(nil)
	watches.Wait()
	switch last := obstacles.Last(); {
	case err == nil || errors.Is(ctx.Err(), context.Canceled):
		return err
	case blocked:
		return fmt.Errorf("starting the sample: %w", obstacle)
	case last != "":
		return fmt.Errorf("%w; last error in the operator's log: %s", err, last)
	}
	return err
}

// sampleStarts reports whether a Pod of the sample is starting.
func (s *Sandbox) sampleStarts(ctx context.Context) bool {
	target, err := s.Target()
	return err == nil && workload.SampleStarts(ctx, target)
}
