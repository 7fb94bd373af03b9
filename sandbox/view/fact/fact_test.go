package fact

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// about returns a span with attributes, which are alternating keys and values. Keys without a dot
// and causes are of a reconcile.
func about(s spantree.Span, attributes ...any) spantree.Span {
	s.Attributes = map[string]any{}
	for i := 0; i+1 < len(attributes); i += 2 {
		key := attributes[i].(string)
		if !strings.Contains(key, ".") || strings.HasPrefix(key, "cause.") {
			key = "reconcile." + key
		}
		if !strings.HasPrefix(key, "error.") {
			key = "operator." + key
		}
		s.Attributes[key] = attributes[i+1]
	}
	return s
}

func happened(s spantree.Span, events ...spantree.Event) spantree.Span {
	s.Events = events
	return s
}

func textsOf(words []Word) string {
	var texts []string
	for _, word := range words {
		mark := word.Mark
		if word.Bad {
			mark += "!"
		}
		texts = append(texts, mark+" "+word.Text)
	}
	return strings.Join(texts, "; ")
}

func TestWords(t *testing.T) {
	t.Parallel()
	reconcile := spantree.Span{SpanID: "2", Name: "reconcile Head"}
	ready := spantree.Event{Name: "Ready: False→True", Attributes: map[string]any{"operator.condition.reason": "Up"}}
	parent := about(spantree.Span{SpanID: "1"}, "object.kind", "Head", "object.name", "web", "write.resource_version", "7")
	for name, test := range map[string]struct {
		span spantree.Span
		want string
	}{
		"none":             {about(reconcile, "result", "success", "attempt", int64(1)), ""},
		"a result":         {about(reconcile, "result", "terminal_error"), "✗! terminal error"},
		"a hidden error":   {about(reconcile, "result", "error"), "✗! error"},
		"a retry":          {happened(about(reconcile, "result", "error", "attempt", int64(3)), spantree.Event{Name: "conflict"}, spantree.Event{Name: "conflict"}), "≠! conflict; ↻ attempt 3"},
		"a requeue":        {about(reconcile, "result", "requeue_after", "requeue_after", 33.1), "↻ requeue after 33.10s"},
		"a request":        {happened(reconcile, spantree.Event{Name: "already_exists"}, spantree.Event{Name: "other"}), "!! already exists"},
		"a denial":         {happened(reconcile, spantree.Event{Name: "denied", Attributes: map[string]any{"operator.admission.message": "no\x1b"}}), `✗! denied: no\x1b`},
		"unchanged":        {about(reconcile, "write.unchanged", true), "= unchanged"},
		"lost":             {about(reconcile, "observer.lost", true, "observer.unfinished", true), "? versions lost; ? unfinished"},
		"conditions":       {happened(reconcile, spantree.Event{Name: "Synced: none→True"}, ready), "● Ready: False→True (Up); ● Synced: none→True"},
		"not a condition":  {happened(reconcile, spantree.Event{Name: ": a→b"}, spantree.Event{Name: "note: a"}), ""},
		"a cause":          {about(reconcile, "trigger", "update Pod", "cause.kind", "Pod", "cause.name", "web-0"), "← ← update Pod/web-0"},
		"a cause's kind":   {about(reconcile, "trigger", "update Pod"), "← ← update Pod"},
		"an observed one":  {about(reconcile, "cause.kind", "Pod", "cause.name", "web-0"), "← ← Pod/web-0"},
		"its own status":   {about(reconcile, "trigger", "update Head", "cause.kind", "Head", "cause.name", "web", "cause.resource_version", "8"), "← ← update Head/web"},
		"the parent":       {about(reconcile, "trigger", "create Head", "cause.kind", "Head", "cause.name", "web"), ""},
		"its version":      {about(reconcile, "trigger", "update Head", "cause.resource_version", "7"), ""},
		"its span":         {about(reconcile, "trigger", "update Pod", "cause.span_id", "1"), ""},
		"a timer":          {about(reconcile, "trigger", "requeue"), ""},
		"waits":            {about(reconcile, "read_wait", 0.05, "rate_limiter_wait", 0.0009, "write.rate_limiter_wait", int64(2)), "… read-your-own-writes wait 50.0ms; … rate limiter 2.00s"},
		"impossible waits": {about(reconcile, "read_wait", math.Inf(1), "rate_limiter_wait", math.NaN()), ""},
	} {
		if diff := cmp.Diff(test.want, textsOf(Of(&test.span, &parent))); diff != "" {
			t.Errorf("words of %s (-want +got):\n%s", name, diff)
		}
	}
}
