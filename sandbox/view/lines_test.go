package view

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// Each span is written once, even if its parent arrives later and moves the zero of the axis.
func TestWriteNew(t *testing.T) {
	failed := span("3", "2", "update_status \x1b[2J", "CLIENT", 30*ms, 5*ms)
	failed.Status = spantree.Status{Code: spantree.StatusError, Message: "conflict"}
	spans := []spantree.Span{failed, span("2", "1", "reconcile Head", "CONSUMER", 20*ms, 20*ms), span("1", "", "admit Head", "SERVER", 0, 2*time.Second)}
	for i := range spans {
		spans[i].Attributes = map[string]any{"name": "web"}
	}
	seen := map[string]bool{}
	write := func(count int) string {
		var out bytes.Buffer
		if err := New(spantree.Build(spans[:count]), "name").WriteNew(&out, seen); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	for _, step := range []struct {
		count int
		want  string
	}{
		{1, "00:16:40.030Z    5.0ms  CLIENT    update_status \\x1b[2J web  error: conflict\n"},
		{1, ""},
		{3, "00:16:40.000Z    2.00s  SERVER    admit Head web\n00:16:40.020Z   20.0ms  CONSUMER  reconcile Head web  below admit Head\n"},
		{3, ""},
	} {
		if diff := cmp.Diff(step.want, write(step.count)); diff != "" {
			t.Errorf("lines of %d spans (-want +got):\n%s", step.count, diff)
		}
	}
	broken := errors.New("pipe")
	clear(seen)
	if err := New(spantree.Build(spans)).WriteNew(failingWriter{broken}, seen); !errors.Is(err, broken) || len(seen) != 0 {
		t.Errorf("WriteNew = %v with %d spans in seen, want %v and none", err, len(seen), broken)
	}
}
