package faults

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/inject"
	"github.com/operator-tracing/sandbox/sandbox/cause"
	"github.com/operator-tracing/sandbox/sandbox/process"
)

const (
	// watchInterval is the interval at which a supervisor checks whether the operator runs.
	watchInterval = 20 * time.Millisecond
	// maxBackoff is the longest pause before an operator that exits again and again is restarted.
	maxBackoff = 5 * time.Second
)

// Operator is the process under test. It must be safe for concurrent use.
type Operator interface {
	// Start starts the operator behind the proxy with this URL, unless it runs there already, and
	// waits until it is ready. It returns an error if the operator exits before.
	Start(ctx context.Context, proxy string) error
	// Kill kills the operator, and returns when it has ended. It returns nil if it does not run.
	Kill(ctx context.Context) error
	// Exited returns an error if the operator does not run.
	Exited() error
	// Log returns the last lines of the operator's log.
	Log(lines int) string
}

// Proxy is the proxy before the operator.
type Proxy interface {
	URL() string
	// Use makes requests pass through what wrap returns.
	Use(wrap func(http.RoundTripper) http.RoundTripper)
}

// supervisor keeps the operator running during one run, as a kubelet does.
type supervisor struct {
	operator Operator
	proxy    Proxy

	injector *inject.Injector // set before start
	cancel   context.CancelFunc
	done     chan struct{}
	first    chan struct{} // closed after the first start

	mu     sync.Mutex
	killed bool // the next exit is not a crash
	paused bool
	exits  []string
	err    error // of the last start
}

// start starts a run with a fresh operator. It does not wait for the operator.
func (s *supervisor) start(ctx context.Context) error {
	if err := s.operator.Kill(ctx); err != nil {
		return fmt.Errorf("stopping the operator before a run: %w", err)
	}
	ctx, s.cancel = context.WithCancel(ctx)
	s.done, s.first = make(chan struct{}), make(chan struct{})
	s.proxy.Use(s.injector.Wrap)
	go func() {
		defer close(s.done)
		s.run(ctx)
	}()
	return nil
}

// awaitStart waits until the operator runs for the first time, and returns why it does not.
func (s *supervisor) awaitStart(ctx context.Context, atMost time.Duration) error {
	select {
	case <-s.first:
	case <-ctx.Done():
	case <-time.After(atMost):
		return fmt.Errorf("the operator is not ready within %s", atMost)
	}
	return s.failure()
}

// stop ends the supervision, and leaves the operator as it is. It returns the exits that no fault caused.
func (s *supervisor) stop() []string {
	s.cancel()
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.exits
}

// kill is the hook of the injector.
func (s *supervisor) kill() {
	s.mu.Lock()
	s.killed = true
	s.mu.Unlock()
	// The fault must happen even if the run is about to end.
	if err := s.operator.Kill(context.Background()); err != nil {
		s.failed(err)
	}
}

// pause kills the operator and keeps it down until resume.
func (s *supervisor) pause() {
	s.mu.Lock()
	s.paused = true
	s.mu.Unlock()
	s.kill()
}

func (s *supervisor) resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused = false
}

func (s *supervisor) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// failure returns why the operator does not run, as far as it is known.
func (s *supervisor) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// run starts the operator again whenever it exits, until ctx ends.
func (s *supervisor) run(ctx context.Context) {
	first := sync.OnceFunc(func() { close(s.first) })
	backoff := wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Steps: 100, Cap: maxBackoff}
	for ctx.Err() == nil {
		err := s.operator.Start(ctx, s.proxy.URL())
		s.failed(err)
		first()
		if err == nil {
			s.awaitExit(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		pause := time.Duration(0)
		if !s.wasKilled() {
			pause = backoff.Step()
			s.crashed()
		}
		if !s.mayStart(ctx, pause) {
			return
		}
		s.injector.Restart()
		s.proxy.Use(s.injector.Wrap)
	}
}

func (s *supervisor) awaitExit(ctx context.Context) {
	_ = wait.PollUntilContextCancel(ctx, watchInterval, false, func(context.Context) (bool, error) { // It ends with ctx.
		return s.operator.Exited() != nil, nil
	})
}

func (s *supervisor) wasKilled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	killed := s.killed
	s.killed = false
	return killed
}

func (s *supervisor) crashed() {
	reason := "it does not start"
	if died := (*process.DiedError)(nil); errors.As(s.operator.Exited(), &died) {
		reason = cause.Explain(died.Name, died.Tail).Error()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exits = append(s.exits, reason)
}

// mayStart waits for the end of a pause, and reports whether the operator is to start.
func (s *supervisor) mayStart(ctx context.Context, atLeast time.Duration) bool {
	until := time.Now().Add(atLeast)
	err := wait.PollUntilContextCancel(ctx, watchInterval, true, func(context.Context) (bool, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return !s.paused && !time.Now().Before(until), nil
	})
	return err == nil
}
