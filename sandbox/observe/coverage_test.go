package observe

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

// Coverage is how much of the time of a chain of causes has a certain writer and cause.
type Coverage struct {
	Certain, Total time.Duration
	Uncertain      []string // the other writes of the chain, the last first
}

// Percent is the certain part; 100 for an empty chain.
func (c Coverage) Percent() float64 {
	if c.Total == 0 {
		return 100
	}
	return 100 * float64(c.Certain) / float64(c.Total)
}

// CoverageOf follows the causes of a write back to the user's change. The kubelet's writes of a Pod until it is
// ready are one reaction to its binding, as in the trace.
func CoverageOf(all []*writes.Write, last *writes.Write) Coverage {
	by := map[uint64]*writes.Write{}
	for _, w := range all {
		by[w.After] = w
	}
	var c Coverage
	var sequence time.Duration // of the kubelet's writes, until the chain reaches the Pod's binding
	for w := last; w != nil && w.Cause.Certainty != ""; w = by[w.Cause.Revision] {
		took := w.At.Sub(w.Cause.At)
		c.Total += took
		switch {
		case w.Writer == writes.Kubelet && w.Cause.Certainty == writes.Sequence:
			sequence += took
		case w.Writer != "" && w.Cause.Certainty.IsCertain():
			c.Certain += took
			if w.Cause.Verb == writes.VerbBind {
				c.Certain += sequence
			}
			sequence = 0
		default:
			sequence = 0
			c.Uncertain = append(c.Uncertain, fmt.Sprintf("%s %s %s %s <- %s", took, w.Writer, w.Verb, w.Object.Kind, w.Cause.Certainty))
		}
	}
	return c
}

// ReadyWrite returns the last write that made the condition Ready of a kind true, or nil.
func ReadyWrite(all []*writes.Write, kind string) *writes.Write {
	for _, w := range slices.Backward(all) {
		if w.Object.Kind == kind && slices.ContainsFunc(w.Transitions, func(t writes.Transition) bool { return t.Type == "Ready" && t.To == "True" }) {
			return w
		}
	}
	return nil
}

// cached is a Deployment's owner that writes a status before its first dependent, as the operator of Memcached
// in the documents of the Operator SDK does. The times are not measured.
const cached = `
  0.0 10 ADDED Cache c kubectl
 10.0 11 MODIFIED Cache c cache-operator:status Available=Unknown
 20.0 12 MODIFIED Cache c cache-operator spec.finalized=a
 30.0 13 ADDED Deployment d cache-operator owner=Cache/c
 40.0 14 ADDED ReplicaSet r kube-controller-manager owner=Deployment/d
 50.0 15 MODIFIED Deployment d kube-controller-manager:status Progressing=True
 60.0 16 ADDED Pod p kube-controller-manager owner=ReplicaSet/r
 80.0 17 MODIFIED Pod p - spec.nodeName=node PodScheduled=True
100.0 18 MODIFIED Pod p kubelet:status Initialized=True
700.0 19 MODIFIED Pod p kubelet:status Ready=True
710.0 20 MODIFIED ReplicaSet r kube-controller-manager:status status.ready=1
720.0 21 MODIFIED Deployment d kube-controller-manager:status Available=True
740.0 22 MODIFIED Cache c cache-operator:status Ready=True
`

// The chain of causes explains the whole time from the user's change until the object is ready, and most of it
// is certain.
func TestCoverage(t *testing.T) {
	t.Parallel()
	const floor = 90
	for kind, stream := range map[string]string{"Head": head, "Certificate": certificate, "Cache": cached} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newStream(t)
			s.play(stream)
			s.end()
			ready := ReadyWrite(s.writes, kind)
			if ready == nil {
				t.Fatal("the object is never ready")
			}
			var applied *writes.Write
			for _, w := range s.writes {
				if w.Object == ready.Object && w.Verb == "create" {
					applied = w
				}
			}
			c := CoverageOf(s.writes, ready)
			t.Logf("%.1f %% of %s are certain; the others: %q", c.Percent(), c.Total, c.Uncertain)
			if want := ready.At.Sub(applied.At); c.Total != want {
				t.Errorf("the chain explains %s of %s", c.Total, want)
			}
			if c.Percent() < floor {
				t.Errorf("%.1f %% are certain, want at least %d %%", c.Percent(), floor)
			}
		})
	}
	t.Run("a pause without a change", func(t *testing.T) {
		t.Parallel()
		s := newStream(t)
		s.play("0 1 ADDED Head h kubectl\n 60 2 MODIFIED Head h operator:status Ready=False\n 5060 3 MODIFIED Head h operator:status Ready=True")
		s.end()
		if c := CoverageOf(s.writes, ReadyWrite(s.writes, "Head")); c.Certain != 60*time.Millisecond || len(c.Uncertain) != 1 {
			t.Errorf("CoverageOf() = %+v, want 60ms certain, and one other write", c)
		}
	})
}
