package traces

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/selftrace"
)

// mostServices limits the services in a search, because Jaeger searches one service at a time.
const mostServices = 64

// findCurrent is [tracetree.FindCurrent]. For an object of an operator with tracing of its own, it
// returns the first trace after the object's last change that mentions its name.
func findCurrent(ctx context.Context, from tracetree.Searcher, live *unstructured.Unstructured) (tracetree.Trace, bool, error) {
	trace, known, err := tracetree.FindCurrent(ctx, from, live)
	if !errors.Is(err, tracetree.ErrNotFound) {
		return trace, known, err
	}
	services, listing := from.Services(ctx)
	if listing != nil {
		return trace, known, err
	}
	changed := lastChange(live)
	var found tracetree.Trace
	var first time.Time
	for _, service := range services[:min(len(services), mostServices)] {
		if service == selftrace.Service {
			continue // Its spans mention every object that the sandbox applied.
		}
		some, searching := from.FindTraces(ctx, tracetree.Query{Service: service, From: changed})
		if searching != nil {
			return trace, known, err
		}
		for _, candidate := range some {
			start := mentions(candidate, live.GetNamespace(), live.GetName(), changed)
			if !start.IsZero() && (first.IsZero() || start.Before(first)) {
				found, first = candidate, start
			}
		}
	}
	if first.IsZero() {
		return trace, known, err
	}
	return found, true, nil
}

// lastChange returns the time of the last write of an object that was not one of its status, to the
// second.
func lastChange(live *unstructured.Unstructured) time.Time {
	last := live.GetCreationTimestamp().Time
	for _, entry := range live.GetManagedFields() {
		if entry.Subresource == "" && entry.Time != nil && entry.Time.After(last) {
			last = entry.Time.Time
		}
	}
	return last
}

// mentions returns the start of the first span since a time that has an object's name in an
// attribute: NAME, NAMESPACE/NAME, or any path with that end. The result is zero if there is none.
func mentions(trace tracetree.Trace, namespace, name string, since time.Time) (first time.Time) {
	named := func(attributes pcommon.Map) bool {
		for key, value := range attributes.All() {
			text := value.AsString()
			if text == name && !strings.Contains(key, "namespace") || text == namespace+"/"+name || strings.HasSuffix(text, "/"+name) {
				return true
			}
		}
		return false
	}
	for _, resource := range trace.OTLP().ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				start := span.StartTimestamp().AsTime()
				if named(span.Attributes()) && !start.Before(since) && (first.IsZero() || start.Before(first)) {
					first = start
				}
			}
		}
	}
	return first
}
