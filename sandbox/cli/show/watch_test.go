package show

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/traces"
)

// looks returns a follow function that shows the looks and then waits until the context is
// cancelled.
func looks(all ...traces.Look) func(context.Context, func(traces.Look) error) error {
	return func(ctx context.Context, show func(traces.Look) error) error {
		for _, look := range all {
			if err := show(look); err != nil {
				return err
			}
		}
		<-ctx.Done()
		return ctx.Err()
	}
}

// growing returns a trace whose spans are nested and start one second apart.
func growing(t *testing.T, id string, names ...string) tracetree.Trace {
	t.Helper()
	text := ""
	for i, name := range names {
		quoted, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":%q,"spanId":"%016x","parentSpanId":"%016x","name":%s,"startTimeUnixNano":"%d000000000","endTimeUnixNano":"%d500000000"}]}]}]}`,
			id, i+1, i, quoted, i+1, i+1)
	}
	traces, err := tracetree.ReadOTLP("test", []byte(text))
	if err != nil || len(traces) != 1 {
		t.Fatalf("%d traces, %v", len(traces), err)
	}
	return traces[0]
}

var oneID, twoID = strings.Repeat("1", 32), strings.Repeat("2", 32)

func TestWatchOnAPipe(t *testing.T) {
	one, two := growing(t, oneID, "admit"), growing(t, oneID, "admit", "reconcile")
	follow := looks(
		traces.Look{Waiting: "there is none"}, traces.Look{Waiting: "there is none"}, traces.Look{Trace: one, Waiting: "whether more spans come"},
		traces.Look{Trace: two, Waiting: "whether more spans come"}, traces.Look{Trace: two}, traces.Look{Trace: growing(t, twoID, "admit again"), Waiting: "\x1b[2J"},
	)
	const first = "  500ms  INTERNAL  admit\n00:00:02.000Z    500ms  INTERNAL  reconcile  below admit\n"
	begin := "trace " + oneID + "\n00:00:01.000Z  "
	for _, test := range []struct {
		name             string
		options          watchOptions
		out, progress    string
		failure          string
		interruptedAfter time.Duration
	}{
		{"until interrupted", watchOptions{}, begin + first + "trace " + twoID + "\n00:00:01.000Z    500ms  INTERNAL  admit again\n",
			"waiting: there is none\nwaiting: whether more spans come\nwaiting: \\x1b[2J\n", "", time.Millisecond},
		{"for a time", watchOptions{timeout: time.Millisecond}, begin + first + "trace " + twoID + "\n00:00:01.000Z    500ms  INTERNAL  admit again\n",
			"waiting: there is none\nwaiting: whether more spans come\nwaiting: \\x1b[2J\n", "", 0},
		{"until complete", watchOptions{untilComplete: true}, begin + first, "waiting: there is none\nwaiting: whether more spans come\n", "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx := t.Context()
			if test.interruptedAfter > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, test.interruptedAfter)
				defer cancel()
			}
			var out, progress bytes.Buffer
			if err := watchTrace(ctx, &out, &progress, test.options, follow); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(test.out+"|"+test.progress, out.String()+"|"+progress.String()); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWatchFails(t *testing.T) {
	waiting := looks(traces.Look{Waiting: "there is none"})
	var out bytes.Buffer
	err := watchTrace(t.Context(), &out, &out, watchOptions{untilComplete: true, timeout: time.Millisecond}, waiting)
	if want := "waiting for the trace to be complete: not within 1ms; last state: there is none"; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := watchTrace(ctx, &out, &out, watchOptions{untilComplete: true}, waiting); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("watchTrace() = %v, want an error that has the word interrupted", err)
	}
	broken := errors.New("broken")
	if err := watchTrace(t.Context(), &out, &out, watchOptions{}, func(context.Context, func(traces.Look) error) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("error is %v, want %v", err, broken)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	if err := read.Close(); err != nil {
		t.Fatal(err)
	}
	if err := watchTrace(t.Context(), write, &out, watchOptions{}, looks(traces.Look{Trace: growing(t, oneID, "a")})); err == nil {
		t.Error("watchTrace() with a closed reader = nil, want an error")
	}
}

// TestMain checks for goroutines that a test leaves.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
