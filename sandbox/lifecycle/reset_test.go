package lifecycle

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// A failure while the point is kept is a notice: up has succeeded.
func TestKeepResetPoint(t *testing.T) {
	t.Parallel()
	failure := errors.New("no space left on device")
	for _, test := range []struct {
		fail  error
		notes int
	}{{nil, 0}, {failure, 1}} {
		s := newSandbox(t, quiet(component.Embedded), &fakeResetter{fakeShared: fakeShared{fakeCluster{fail: map[string]error{"keep": test.fail}}}})
		var notes []string
		s.Note = func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
		if err := s.Attach(); err != nil {
			t.Fatal(err)
		}
		if err := s.KeepResetPoint(t.Context(), noReport); err != nil || len(notes) != test.notes {
			t.Errorf("KeepResetPoint() = %v with the notes %q after %v, want %d notes", err, notes, test.fail, test.notes)
		}
	}
}

// After a reset, up repairs components that are not ready. The sample is never ready then.
func TestReset(t *testing.T) {
	t.Parallel()
	failure := errors.New("connection refused")
	for name, test := range map[string]struct {
		broken  bool
		failing string
		calls   []string
		repair  bool
		want    string
	}{
		"all ready":       {false, "", []string{"alive", "reset"}, false, ""},
		"operator broken": {true, "", []string{"alive", "reset"}, true, ""},
		"no API server":   {false, "alive", []string{"alive"}, false, "connection refused; `sandbox up` repairs it"},
		"failure":         {false, "reset", []string{"alive", "reset"}, false, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := &fakeResetter{broken: test.broken, fakeShared: fakeShared{fakeCluster{fail: map[string]error{test.failing: failure}}}}
			record := quiet(component.Embedded)
			record.OperatorEnv = []string{"A=b"}
			s := newSandbox(t, record, cluster)
			out, repair, err := s.Reset(t.Context(), noReport)
			calls := slices.DeleteFunc(cluster.calls, func(call string) bool { return call == "close" })
			if !slices.Equal(calls, test.calls) || repair != test.repair || test.want == "" && err != nil || test.want != "" && (err == nil || !strings.HasSuffix(err.Error(), test.want)) {
				t.Errorf("Reset() = %+v, %t, %v after the calls %q; want %t, %q after %q", out, repair, err, calls, test.repair, test.want, test.calls)
			}
			if err == nil && (len(out.Deleted) != 1 || !slices.Equal(s.OperatorEnv, record.OperatorEnv)) {
				t.Errorf("Reset() = %+v with the operator's variables %q, want one object and %q", out, s.OperatorEnv, record.OperatorEnv)
			}
		})
	}
}

func TestResetWithoutASandbox(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, state.Record{})
	if _, _, err := s.Reset(t.Context(), noReport); !errors.Is(err, session.ErrDown) {
		t.Errorf("Reset() = %v, want %v", err, session.ErrDown)
	}
	if _, err := s.Added(t.Context()); !errors.Is(err, session.ErrDown) {
		t.Errorf("Added() = %v, want %v", err, session.ErrDown)
	}
	s = newSandbox(t, quiet(component.Kind), &fakeCluster{})
	if _, _, err := s.Reset(t.Context(), noReport); err == nil || !strings.Contains(err.Error(), "clusters of this kind can't be reset: kind") {
		t.Errorf("Reset() of a cluster without support = %v", err)
	}
}
