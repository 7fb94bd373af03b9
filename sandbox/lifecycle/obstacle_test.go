package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/provider"
)

// waiting is a cluster whose sample is ready after some time. Its operator writes a line into its
// log every ten seconds.
type waiting struct {
	*fakeCluster
	ready  time.Duration
	line   string
	status string
}

func (w waiting) Logs(ctx context.Context, out io.Writer, _ string, _ provider.LogOptions) error {
	for {
		if _, err := fmt.Fprintln(out, w.line); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(10 * time.Second):
		}
	}
}

func (w waiting) Start(ctx context.Context, _ component.Component, report report) error {
	report("%s", w.status)
	select {
	case <-ctx.Done():
		return fmt.Errorf("waiting for sample: %w", ctx.Err())
	case <-time.After(w.ready):
		return nil
	}
}

func TestStartSample(t *testing.T) {
	t.Parallel()
	const forbidden = `ERROR boats is forbidden: User "u" cannot list resource "boats" in API group "sea.example.com" at the cluster scope`
	for name, test := range map[string]struct {
		cluster waiting
		limit   time.Duration // of the test's step
		within  time.Duration // when it ends
		want    string
	}{
		"a missing permission": {waiting{ready: time.Hour, line: forbidden}, 10 * time.Minute, time.Minute, `resources: ["boats"]`},
		"a missing kind in the status": {
			waiting{ready: time.Hour, status: `Boat default/x: condition Ready is False: no matches for kind "Sail" in version "sea.example.com/v1"`},
			10 * time.Minute, time.Minute, "Sail.sea.example.com",
		},
		"an error that passes":         {waiting{ready: 25 * time.Second, line: forbidden}, 10 * time.Minute, time.Minute, ""},
		"an error without a remedy":    {waiting{ready: time.Hour, line: "ERROR harbor refused the boat"}, 5 * time.Minute, 6 * time.Minute, "harbor refused the boat"},
		"no error":                     {waiting{ready: time.Hour, line: "INFO ok"}, 5 * time.Minute, 6 * time.Minute, "deadline exceeded"},
		"a sample that takes its time": {waiting{ready: 4 * time.Minute, line: "INFO ok"}, 5 * time.Minute, 5 * time.Minute, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.cluster.fakeCluster = &fakeCluster{}
			s := newSandbox(t, quiet(component.Kind), test.cluster)
			if err := s.Attach(); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), test.limit)
				defer cancel()
				before := time.Now()
				err := s.Start(component.Named(component.Sample))(ctx, noReport)
				if took := time.Since(before); took > test.within {
					t.Errorf("Start took %s, want at most %s", took, test.within)
				}
				if err == nil != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
					t.Errorf("Start() = %v, want %q", err, test.want)
				}
			})
		})
	}
}

// An interrupted command is not a failure of the operator.
func TestStartSampleInterrupted(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, quiet(component.Kind), waiting{fakeCluster: &fakeCluster{}, ready: time.Hour, line: "ERROR harbor refused the boat"})
	if err := s.Attach(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		err := s.Start(component.Named(component.Sample))(ctx, noReport)
		if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "harbor") {
			t.Errorf("Start() = %v, want only that the command was interrupted", err)
		}
	})
}
