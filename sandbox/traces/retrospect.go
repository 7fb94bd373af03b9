package traces

import (
	"context"
	"fmt"
	"strings"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/observe/retrospect"
	"github.com/operator-tracing/sandbox/sandbox/observe/retrospect/fetch"
)

// Reconstructed reports whether a trace is of package retrospect.
func Reconstructed(trace tracetree.Trace) bool {
	for _, span := range trace.Spans() {
		if span.Attributes[retrospect.AttributeReconstructed] == true {
			return true
		}
	}
	return false
}

// reconstruct returns the trace of an object that has none in Jaeger, from what the API server has. It
// has no spans if that is not enough.
func (r *Reader) reconstruct(ctx context.Context, live *unstructured.Unstructured) (tracetree.Trace, error) {
	target, err := r.session.Target()
	if err != nil {
		return tracetree.Trace{}, err
	}
	family, err := fetch.Read(ctx, target.Client(), target.Clientset().Discovery(), live)
	if err != nil {
		return tracetree.Trace{}, fmt.Errorf("reconstructing the trace: %w", err)
	}
	spans := retrospect.Trace(live.GetUID(), family.Objects, family.Events)
	if err := r.NameOperator(spans); err != nil {
		return tracetree.Trace{}, err
	}
	markGaps(spans, family)
	found := tracetree.FromOTLP(spans)
	if len(found) == 0 {
		return tracetree.Trace{}, nil
	}
	return found[0], nil
}

// markGaps adds what could not be read to the first span.
func markGaps(traces ptrace.Traces, family *fetch.Family) {
	for _, resource := range traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				if len(family.Skipped) > 0 {
					span.Attributes().PutStr(retrospect.AttributeUnread, strings.Join(family.Skipped, ", "))
				}
				if family.Cut {
					span.Attributes().PutBool(retrospect.AttributeTruncated, true)
				}
				return
			}
		}
	}
}

// Gaps returns what a reconstructed trace lacks, a sentence each.
func Gaps(trace tracetree.Trace) []string {
	var gaps []string
	for _, span := range trace.Spans() {
		if unread, ok := span.Attributes[retrospect.AttributeUnread].(string); ok {
			gaps = append(gaps, "incomplete: no permission to read "+unread)
		}
		if span.Attributes[retrospect.AttributeTruncated] == true {
			gaps = append(gaps, fmt.Sprintf("incomplete: at most %d objects and %d Events are read", fetch.MaxObjects, fetch.MaxEvents))
		}
	}
	return gaps
}
