package compare

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

func spans() []spantree.Span {
	span := func(id, parent, name, kind string, start, end int, attributes map[string]any, events ...string) spantree.Span {
		s := spantree.Span{
			TraceID: "1", SpanID: id, ParentSpanID: parent, Name: name, Kind: kind, Start: time.UnixMilli(int64(start)), End: time.UnixMilli(int64(end)),
			Attributes: map[string]any{"operator.object.kind": "Cache", "operator.object.name": "web"}, Links: []spantree.Link{{TraceID: "2", SpanID: "2"}},
		}
		for key, value := range attributes {
			s.Attributes[key] = value
		}
		for _, e := range events {
			s.Events = append(s.Events, spantree.Event{Name: e})
		}
		return s
	}
	waits := map[string]any{"operator.reconcile.queue_wait": 0.002, "operator.reconcile.delay": 0.5}
	return []spantree.Span{
		span("1", "", "apply Cache", spantree.KindClient, 0, 10, nil),
		span("2", "1", "admit Cache", spantree.KindServer, 1, 3, nil),
		span("3", "1", "reconcile Cache", spantree.KindConsumer, 20, 60, waits),
		span("4", "3", "create Deployment", spantree.KindProducer, 21, 30, map[string]any{"operator.object.kind": "Deployment"}, "Available: False→True"),
		span("5", "1", "reconcile Cache", spantree.KindConsumer, 70, 90, waits),
		span("6", "5", "update_status Cache", spantree.KindClient, 75, 85, nil, "Ready: False→True"),
		span("7", "1", "reconcile Cache", spantree.KindConsumer, 200, 300, nil),
		span("8", "7", "update_status Cache", spantree.KindClient, 200, 190, nil, "Ready: True→False"),
	}
}

func TestNewRun(t *testing.T) {
	t.Parallel()
	forest := spantree.Build(spans())
	got, err := NewRun("1", forest, forest)
	if err != nil {
		t.Fatal(err)
	}
	want := `apply Cache [CLIENT]
  admit Cache [SERVER]
  reconcile Cache [CONSUMER]
    create Deployment [PRODUCER]
  + reconcile Cache [CONSUMER]
    update_status Cache [CLIENT]
`
	if diff := cmp.Diff(want, got.Tree); diff != "" {
		t.Errorf("Tree (-want +got):\n%s", diff)
	}
	var sum time.Duration
	for name, d := range got.Durations {
		if name != SegmentTotal {
			sum += d
		}
	}
	if total := got.Durations[SegmentTotal]; got.Counts[spantree.CountWrites] != 3 || total != 85*time.Millisecond || sum != total {
		t.Errorf("NewRun = %v, want 3 writes, a total of 85 ms and parts with the same sum", got)
	}
	broken := spantree.Build(spans()[1:])
	if _, err := NewRun("1", broken, broken); err == nil || !strings.Contains(err.Error(), "its parent 1 is missing") {
		t.Errorf("NewRun of a part = %v, want an error about the parent", err)
	}
}
