package observe

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

// Random streams, with owner cycles, lost and repeated versions, and late watches: the observer
// keeps its order and its bounds.
func TestProperties(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		s := newStream(t)
		lines := randomStream(rand.New(rand.NewPCG(seed, 0)))
		s.play(lines)
		s.end()
		made := map[uint64]*int64{}
		for _, w := range s.writes {
			at := w.At.UnixNano()
			if c := w.Cause; c.Certainty != "" && (c.Revision >= w.After || c.At.After(w.At) || made[c.Revision] == nil) {
				t.Fatalf("seed %d: the cause of %s@%d at %s is @%d at %s; stream:\n%s", seed, w.Object, w.After, w.At, c.Revision, c.At, lines)
			}
			made[w.After] = &at
		}
		checkStarts(t, seed, s)
		ids := map[string]bool{}
		for _, span := range s.spans {
			if span.EndTimestamp() < span.StartTimestamp() || span.Name() == "" {
				t.Fatalf("seed %d: span %q ends before it starts; stream:\n%s", seed, span.Name(), lines)
			}
			if id := span.TraceID().String() + span.SpanID().String(); ids[id] {
				t.Fatalf("seed %d: two spans have the id of %q; stream:\n%s", seed, span.Name(), lines)
			} else {
				ids[id] = true
			}
		}
	}
}

// checkStarts checks that no span starts before its parent, and that a reaction starts when its cause ended.
func checkStarts(t *testing.T, seed uint64, s *stream) {
	t.Helper()
	known := map[pcommon.SpanID]ptrace.Span{}
	for _, span := range s.spans {
		known[span.SpanID()] = span
	}
	for _, span := range s.spans {
		cause, found := known[span.ParentSpanID()]
		if !found {
			continue
		}
		earliest := cause.EndTimestamp()
		if s.services[span.SpanID().String()] == writes.Kubelet && cause.Name() == "start Pod" {
			earliest = cause.StartTimestamp() // The kubelet's writes are parts of the start.
		}
		if span.StartTimestamp() < earliest {
			t.Fatalf("seed %d: %q starts %s before its cause %q", seed, span.Name(), time.Duration(earliest-span.StartTimestamp()), cause.Name())
		}
	}
}

func randomStream(random *rand.Rand) string {
	one := func(words ...string) string { return words[random.IntN(len(words))] }
	longest := []float64{30, 400}[random.IntN(2)]
	// The watch of each kind has a delay of its own, some beyond the time that writes wait for others.
	delays := map[string]float64{}
	for _, kind := range []string{"Head", "ChildA", "Deployment", "ReplicaSet", "Pod", "Secret"} {
		delays[kind] = random.Float64() * longest
	}
	type line struct {
		at   float64
		text string
	}
	var all []line
	exists := map[string]bool{}
	at := 0.0
	for revision := 1; revision < 60; revision++ {
		at += random.Float64() * 100
		kind := one("Head", "ChildA", "Deployment", "ReplicaSet", "Pod", "Secret")
		name := one("a", "b")
		key := kind + "/" + name
		event := "ADDED"
		if exists[key] {
			event = one("MODIFIED", "MODIFIED", "MODIFIED", "DELETED")
		}
		var text strings.Builder
		fmt.Fprintf(&text, "%.1f %d %s %s %s %s", at+delays[kind], revision, event, kind, name,
			one("-", "kubectl", "operator", "operator:status", "kube-controller-manager", "kubelet:status", "kube-controller-manager:status"))
		var owners []string
		for owner := range exists {
			if exists[owner] {
				owners = append(owners, owner)
			}
		}
		slices.Sort(owners)
		if len(owners) > 0 && random.IntN(2) == 0 {
			fmt.Fprintf(&text, " owner=%s", one(owners...))
		}
		fmt.Fprintf(&text, " %s\n", one("Ready=True", "Ready=False", "spec.nodeName=n", "spec.secretName=a", "deleting=+", "generation=+", "PodReadyToStartContainers=True"))
		exists[key] = event != "DELETED"
		all = append(all, line{at + delays[kind], text.String()})
	}
	slices.SortStableFunc(all, func(a, b line) int { return cmp.Compare(a.at, b.at) })
	var lines strings.Builder
	for _, l := range all {
		lines.WriteString(l.text)
	}
	return lines.String()
}
