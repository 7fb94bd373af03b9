package traces

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// followEvery is the time between two looks at a trace.
const followEvery = 250 * time.Millisecond

// Look is one observation of an object's current trace.
type Look struct {
	// Trace has no spans if there is no trace yet.
	Trace tracetree.Trace
	// Waiting is the reason why the trace is incomplete; empty if it is complete.
	Waiting string
}

// Follow observes an object's current trace and passes each observation to show, until ctx ends or
// show returns an error. It returns that error, or the error of ctx. The object need not exist yet.
// When it changes, its next trace becomes the current one. Follow waits for an API server or a Jaeger
// that does not answer.
func (r *Reader) Follow(ctx context.Context, object Object, show func(Look) error) error {
	reader, err := r.searcher(ctx)
	if err != nil {
		return err
	}
	defer reader.Close()
	f := follower{subject: r.subject(object, reader), name: object.String()}
	ticks := time.NewTicker(followEvery)
	defer ticks.Stop()
	for {
		look := f.look(ctx)
		if ctx.Err() != nil {
			return ctx.Err() // What an interrupted look saw says nothing.
		}
		if err := show(look); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticks.C:
		}
	}
}

// follower keeps what tells whether a trace still grows.
type follower struct {
	subject
	name  string
	trace tracetree.Trace
	grew  time.Time
}

func (f *follower) look(ctx context.Context) Look {
	// Before the trace is read: the spans that made the object ready are then in it, or come within the quiet period.
	live, notReady, err := f.read(ctx)
	if err != nil {
		return Look{Trace: f.trace, Waiting: err.Error()}
	}
	trace, err := f.current(ctx, live)
	if err == nil && (trace.ID != f.trace.ID || trace.Len() != f.trace.Len()) {
		f.trace, f.grew = trace, time.Now()
	}
	return Look{Trace: f.trace, Waiting: f.waiting(notReady, err, tracetree.LastWrite(live))}
}

// current reads the object's trace, which has no spans until Jaeger has some. If Jaeger had spans and has none now, that is an error.
func (f *follower) current(ctx context.Context, live *unstructured.Unstructured) (tracetree.Trace, error) {
	trace, _, err := f.find(ctx, live)
	switch {
	case !errors.Is(err, tracetree.ErrNotFound):
		return trace, err
	case trace.ID != "" && (trace.ID != f.trace.ID || f.trace.Len() == 0):
		return trace, nil
	}
	return trace, f.noTrace(live, err)
}

// waiting returns the reason why the trace is incomplete. The text is stable while the reason is.
// written is the time of the object's last write.
func (f *follower) waiting(notReady, reading error, written time.Time) string {
	switch {
	case reading != nil:
		return reading.Error()
	case notReady != nil:
		return fmt.Sprintf("%s is not ready: %v", f.name, notReady)
	case f.trace.Len() == 0:
		return fmt.Sprintf("Jaeger has no span of %s yet", f.name)
	}
	missing := len(f.trace.Forest().Defective())
	switch {
	case missing > 0:
		return fmt.Sprintf("spans without their place in the tree yet: %d", missing)
	case time.Since(later(f.grew, f.readySince)) < tracetree.DefaultQuiet &&
		(written.IsZero() || time.Since(later(f.trace.End(), written)) < settledTrace):
		return "whether more spans come"
	}
	return ""
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
