package poll

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestUntil(t *testing.T) {
	t.Parallel()
	failed, final := errors.New("failed"), errors.New("final")
	for name, test := range map[string]struct {
		answers []error // The last one is repeated.
		calls   int
		want    string
		is      []error
	}{
		"at once":     {answers: []error{nil}, calls: 1},
		"later":       {answers: []error{failed, failed, nil}, calls: 3},
		"final error": {answers: []error{failed, final}, calls: 2, want: "final", is: []error{final}},
		"limit": {
			answers: []error{failed}, calls: 4, want: "context deadline exceeded: last: failed", is: []error{failed, context.DeadlineExceeded},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
				defer cancel()
				calls := 0
				err := Until(ctx, time.Second, func(context.Context) error {
					calls++
					return test.answers[min(calls, len(test.answers))-1]
				}, func(err error) bool { return !errors.Is(err, final) })
				check(t, err, test.want, test.is...)
				if calls != test.calls {
					t.Errorf("Until called try %d times, want %d", calls, test.calls)
				}
			})
		})
	}
}

// The end of ctx fails the last call: the failure before it explains more.
func TestWithinReportsTheFailureBeforeItsEnd(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	for name, test := range map[string]struct {
		slowFrom int // The first call that lasts until the end of ctx.
		want     string
	}{
		"after a failure": {2, "context deadline exceeded: last: refused"},
		"first call":      {1, "context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				err := Within(t.Context(), time.Second, 3*time.Second, func(ctx context.Context) error {
					if calls++; calls < test.slowFrom {
						return refused
					}
					<-ctx.Done()
					return ctx.Err()
				})
				check(t, err, test.want, context.DeadlineExceeded)
			})
		})
	}
}

func check(t *testing.T, err error, want string, is ...error) {
	t.Helper()
	if err == nil && want == "" {
		return
	}
	if err == nil || err.Error() != want {
		t.Fatalf("error = %v, want %q", err, want)
	}
	for _, wrapped := range is {
		if !errors.Is(err, wrapped) {
			t.Errorf("error %v does not wrap %v", err, wrapped)
		}
	}
}
