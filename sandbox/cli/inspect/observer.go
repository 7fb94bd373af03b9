package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/companion"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/observe"
	"github.com/operator-tracing/sandbox/sandbox/observe/feed"
)

// exportDelay is enough for Events and for the spans of operators, which come every 200 ms in a
// sandbox: `up` waits for it before it shows a trace.
const exportDelay = 500 * time.Millisecond

// NewObserver returns the hidden command that runs the observer of a sandbox until it is stopped;
// see package companion.
func NewObserver(shared *command.Shared) *cobra.Command {
	return &cobra.Command{
		Use: companion.Name, Hidden: true, Short: "Send what controllers do to the sandbox's Jaeger until SIGTERM", Args: command.ExactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runObserver(cmd.Context(), shared, cmd.OutOrStdout())
		},
	}
}

// NewGate returns the hidden command that runs the gate of a sandbox's Jaeger until it is stopped; see
// package companion.
func NewGate(shared *command.Shared) *cobra.Command {
	return &cobra.Command{
		Use: companion.GateName, Hidden: true, Short: "Check requests to the sandbox's Jaeger, and explain traces to its page, until SIGTERM", Args: command.ExactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			run, err := shared.Attach()
			if err != nil {
				return err
			}
			return companion.GateOf(run.Session).Serve(cmd.Context(), run.TraceWithID)
		},
	}
}

func runObserver(ctx context.Context, shared *command.Shared, out io.Writer) error {
	run, err := shared.Attach()
	if err != nil {
		return err
	}
	if err := run.Reach(ctx); err != nil {
		return err
	}
	cluster, err := run.Target()
	if err != nil {
		return err
	}
	sender, err := jaeger.DialOTLP(run.Addresses()[component.OTLPGRPC])
	if err != nil {
		return err
	}
	defer sender.Close()
	reader, err := jaeger.Dial(run.Addresses()[component.Query])
	if err != nil {
		return err
	}
	defer reader.Close()
	var mu sync.Mutex // of out
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(out, format+"\n", args...)
	}
	observer := observe.New(observe.Options{
		ExportDelay: exportDelay,
		Export: func(ctx context.Context, all ptrace.Traces) error {
			if err := run.NameOperator(all); err != nil {
				return err
			}
			rejected, err := sender.SendSpans(ctx, all)
			if rejected != nil {
				say("not sent: %v", rejected)
			}
			return err
		},
		Recorded: recordedBy(reader),
		Exported: func(revision uint64) {
			if err := companion.Of(run.Session).SetProgress(revision); err != nil {
				say("%v", err)
			}
		},
		Failed: func(err error) { say("%v", err) },
	})
	watcher := feed.Watcher{
		Config: cluster.Config(),
		Synced: func() { say("%s%s", companion.Ready, cluster.Config().Host) },
		Skipped: func(resource schema.GroupVersionResource, err error) {
			say("not observing %s: %v", resource.GroupResource(), err)
		},
	}
	return watcher.Run(ctx, observer)
}

// recordedBy returns a function that finds the writes in a trace whose operators sent spans of them.
func recordedBy(reader *jaeger.Client) func(context.Context, trace.TraceID) (map[string]trace.SpanContext, error) {
	return func(ctx context.Context, id trace.TraceID) (map[string]trace.SpanContext, error) {
		found, err := reader.GetTrace(ctx, id.String())
		if errors.Is(err, tracetree.ErrNotFound) {
			return nil, nil
		}
		recorded := map[string]trace.SpanContext{}
		for _, s := range found.Spans() {
			revision, _ := s.Attributes[observe.AttributeAfter].(string)
			if uid, _ := s.Attributes["operator.object.uid"].(string); uid != "" && strings.HasPrefix(s.Name, "delete ") {
				revision = observe.DeleteOf(uid)
			}
			span, parseErr := trace.SpanIDFromHex(s.SpanID)
			if _, observed := s.Attributes[observe.AttributeObserved]; observed || revision == "" || parseErr != nil {
				continue
			}
			recorded[revision] = trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: span, TraceFlags: trace.FlagsSampled})
		}
		return recorded, err
	}
}
