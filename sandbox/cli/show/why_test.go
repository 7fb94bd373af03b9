package show

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/explain"
)

// An explanation is written as any other value, although by element.
func TestWriteExplanation(t *testing.T) {
	t.Parallel()
	object := explain.Object{Kind: "Head", Name: "a\x1b\",\n  \"path\": null"}
	span := explain.Span{SpanID: "1", Name: "update <Head>", Object: object}
	one := explain.Segment{Duration: time.Second, Reason: explain.ReasonWrite, Object: object, Span: span}
	for name, e := range map[string]explain.Explanation{
		"empty":    {Path: []explain.Segment{}, Chain: []explain.Step{}},
		"one span": {Object: object, Path: []explain.Segment{one}, Chain: []explain.Step{{Span: span}}},
		"two spans": {
			Object: object, Start: time.Unix(1, 2).UTC(), Requeues: map[string]int{"path": 1, "chain": 2}, Observed: true,
			Path: []explain.Segment{one, one}, Chain: []explain.Step{{Span: span}, {Span: span, End: 1}}, Inputs: []explain.Input{{Object: object}},
		},
	} {
		var got, want bytes.Buffer
		if err := writeExplanation(&got, e); err != nil {
			t.Fatal(err)
		}
		if err := command.WriteJSON(&want, e); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.String(), got.String()); diff != "" {
			t.Errorf("%s (-WriteJSON +writeExplanation):\n%s", name, diff)
		}
	}
}
