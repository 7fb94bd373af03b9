package traces

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

func TestFinderWaits(t *testing.T) {
	broken := errors.New("broken")
	const never = time.Hour
	for name, test := range map[string]struct {
		// readyAfter and knownAfter are when the object is ready, and when its trace has a span about the present generation.
		readyAfter, knownAfter time.Duration
		// unknown is the result of a search before that.
		unknown tracetree.Trace
		err     error
		take    time.Duration
		want    string
		failure error
	}{
		"known at once":                      {never, 0, tracetree.Trace{}, nil, 0, secondTrace, nil},
		"known later":                        {never, 5 * time.Second, tracetree.Trace{ID: firstTrace}, nil, 5 * time.Second, secondTrace, nil},
		"only a lone webhook's span":         {2 * time.Second, never, tracetree.Trace{ID: firstTrace}, nil, 2*time.Second + tracetree.DefaultQuiet, firstTrace, nil},
		"a lone webhook's span, never ready": {never, never, tracetree.Trace{ID: firstTrace}, nil, traceWait, firstTrace, nil},
		"spans that are still to come":       {time.Second, 1500 * time.Millisecond, tracetree.Trace{ID: firstTrace}, tracetree.ErrNotFound, 1500 * time.Millisecond, secondTrace, nil},
		"Jaeger is down at first":            {0, 3 * time.Second, tracetree.Trace{}, tracetree.ErrUnreachable, 3 * time.Second, secondTrace, nil},
		"no trace":                           {0, never, tracetree.Trace{}, tracetree.ErrNotFound, untracedWait, "", tracetree.ErrNotFound},
		"Jaeger refuses":                     {0, never, tracetree.Trace{ID: firstTrace}, broken, 0, "", broken},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				f := finder{subject: subject{
					get: func(context.Context) (*unstructured.Unstructured, error) { return &unstructured.Unstructured{}, nil },
					ready: func(*unstructured.Unstructured) error {
						if time.Since(start) < test.readyAfter {
							return errors.New("no Pod")
						}
						return nil
					},
					find: func(context.Context, *unstructured.Unstructured) (tracetree.Trace, bool, error) {
						if time.Since(start) < test.knownAfter {
							return test.unknown, false, test.err
						}
						return tracetree.Trace{ID: secondTrace}, true, nil
					},
					noTrace: func(_ *unstructured.Unstructured, err error) error { return fmt.Errorf("worded: %w", err) },
				}}
				ctx, cancel := context.WithTimeout(t.Context(), traceWait)
				defer cancel()
				got, err := f.wait(ctx)
				if took := time.Since(start); got != test.want || !errors.Is(err, test.failure) || took != test.take {
					t.Errorf("trace %q, error %v after %s; want %q, %v after %s", got, err, took, test.want, test.failure, test.take)
				}
			})
		})
	}
}
