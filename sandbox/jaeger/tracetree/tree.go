package tracetree

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// Limits of a tree of several traces. If a tree reaches one, [Trace.Cut] returns true.
const (
	// MaxTraces is the maximum number of traces in a tree.
	MaxTraces = 64
	// MaxSpans is the maximum number of spans in a tree of several traces.
	MaxSpans = 100_000
	// maxLookups is the maximum number of lookups of continuations for a tree. Most writes have
	// none, because the process of the writer continued the trace.
	maxLookups = 1024
)

// clockSkew is the tolerated difference between the clocks of two processes. A span that started at
// most this long before a write can be its effect.
const clockSkew = time.Second

// The attributes that identify the generation of an object.
const (
	attributeUID        = "operator.object.uid"
	attributeGeneration = "operator.object.generation"
)

// Continuation returns the id of the trace in which other processes trace their reaction to a
// generation of an object, in hexadecimal digits: the first 16 bytes of SHA-256 over
// "{uid}/{generation}". The span that wrote the generation has both as attributes and a link to
// that trace. The span id of the link is a placeholder that no span has.
func Continuation(uid string, generation int64) string {
	sum := sha256.Sum256([]byte(uid + "/" + strconv.FormatInt(generation, 10)))
	return hex.EncodeToString(sum[:16])
}

// ReadTree reads a trace and its continuations at any depth, and returns them as one trace. In its
// [Trace.Forest], the roots of a continuation and its spans with a missing parent are children of
// the span that wrote the generation. If a generation has several writers, the earliest is the
// parent. ReadTree omits roots that started more than one second before the writer, with their
// descendants. If a webhook of another process admitted the write, the continuation is the trace of
// the webhook. Only a [Searcher] finds it.
//
// ReadTree reads each trace once, so it terminates for cycles. It ignores continuations that Jaeger
// does not have, and returns other errors. [MaxTraces] and [MaxSpans] limit the tree, see
// [Trace.Cut].
func ReadTree(ctx context.Context, from Reader, traceID string) (Trace, error) {
	first, err := from.GetTrace(ctx, traceID)
	if err != nil {
		return first, err
	}
	return first.grow(follower(ctx, from))
}

// Join merges each trace that continues another one into that one, like [ReadTree]. It is for the
// traces of a file, and preserves their order.
func Join(traces []Trace) []Trace {
	follow := archive(traces)
	continued := map[string]bool{}
	for _, t := range traces {
		for _, w := range writers(t.elements) {
			continued[w.continuation] = true
			if next, err := follow(w, false); err == nil {
				continued[next.ID] = true
			}
		}
	}
	trees, taken := make([]Trace, len(traces)), map[string]bool{}
	// Start with traces that are not continuations. Continuations remain if their writers form a
	// cycle or are too late.
	for _, rest := range []bool{false, true} {
		for i, t := range traces {
			if continued[t.ID] != rest || taken[t.ID] {
				continue
			}
			trees[i], _ = t.grow(follow) // An archive never fails.
			taken[t.ID] = true
			for id := range trees[i].writers {
				taken[id] = true
			}
		}
	}
	return slices.DeleteFunc(trees, func(t Trace) bool { return t.Len() == 0 })
}

// Continued returns the trace with its continuations among the given traces, like [ReadTree]. It
// does not add continuations that the trace already has.
func (t Trace) Continued(among []Trace) Trace {
	tree, _ := t.grow(archive(among)) // An archive never fails.
	return tree
}

// Cut reports whether the trace can have more continuations, because it reached a limit
// ([MaxTraces], [MaxSpans]).
func (t Trace) Cut() bool { return t.cut }

// TraceIDs returns the ids of the traces of the spans: the trace's own id first, then the sorted
// ids of its continuations.
func (t Trace) TraceIDs() []string {
	return append([]string{t.ID}, slices.Sorted(maps.Keys(t.writers))...)
}

// writer is a span that wrote a generation of an object, with its continuation.
type writer struct {
	traceID, spanID, continuation string
	kind                          string // of the object
	of                            wanted
	start                         time.Time
}

// follow returns the trace that continues a write in another process, or [ErrNotFound]. reconciled
// is true if the tree already has a reconcile of the generation. Then no webhook of another process
// admitted the write.
type follow func(w writer, reconciled bool) (Trace, error)

// grow adds the continuations that a follow function returns, level by level.
func (t Trace) grow(read follow) (Trace, error) {
	tree := Trace{ID: t.ID, elements: slices.Clip(t.elements), writers: map[string]writer{}, cut: t.cut}
	asked := map[string]bool{t.ID: true}
	for id, w := range t.writers { // The trace can already have continuations.
		tree.writers[id], asked[id], asked[w.continuation] = w, true, true
	}
	reconciled := map[wanted]bool{}
	for added := t.elements; len(added) > 0; {
		var next []element
		addReconciled(reconciled, added)
		for _, w := range writers(added) {
			if asked[w.continuation] {
				continue
			}
			if len(tree.writers)+1 == MaxTraces || len(asked) > maxLookups {
				tree.cut = true
				return tree, nil
			}
			asked[w.continuation] = true
			part, err := read(w, reconciled[w.of])
			if errors.Is(err, ErrNotFound) || err == nil && part.ID != w.continuation && asked[part.ID] {
				continue
			}
			if err != nil {
				return Trace{}, fmt.Errorf("following trace %s: %w", t.ID, err)
			}
			asked[part.ID] = true
			part = part.since(w.start.Add(-clockSkew))
			switch {
			case part.Len() == 0:
				continue
			case tree.Len()+part.Len() > MaxSpans:
				tree.cut = true
				continue
			}
			tree.writers[part.ID] = w
			tree.elements = append(tree.elements, part.elements...)
			next = append(next, part.elements...)
		}
		added = next
	}
	return tree, nil
}

func addReconciled(generations map[wanted]bool, spans []element) {
	for _, e := range spans {
		if o, known := e.object(); known && e.isConsumer() {
			generations[o] = true
		}
	}
}

// writers returns the earliest writer of each continuation, ordered by start.
func writers(spans []element) []writer {
	var found []writer
	for _, e := range spans {
		o, known := e.object()
		if !known || e.span.Links().Len() == 0 {
			continue
		}
		w := writer{
			traceID: e.span.TraceID().String(), spanID: e.span.SpanID().String(), continuation: Continuation(o.uid, o.generation),
			of: o, start: e.span.StartTimestamp().AsTime(),
		}
		_, w.kind, _ = strings.Cut(e.span.Name(), " ")
		for _, link := range e.span.Links().All() {
			if link.TraceID().String() == w.continuation && w.continuation != w.traceID {
				found = append(found, w)
				break
			}
		}
	}
	slices.SortFunc(found, func(a, b writer) int {
		return cmp.Or(a.start.Compare(b.start), cmp.Compare(a.traceID+a.spanID, b.traceID+b.spanID))
	})
	return found
}

// object returns the generation of an object in the attributes of the span, if any. Values of other
// types count as empty or 0.
func (e element) object() (o wanted, known bool) {
	uid, hasUID := e.span.Attributes().Get(attributeUID)
	generation, hasGeneration := e.span.Attributes().Get(attributeGeneration)
	if !hasUID || !hasGeneration || uid.Str() == "" || generation.Int() <= 0 {
		return wanted{}, false
	}
	return wanted{uid: uid.Str(), generation: generation.Int()}, true
}

// since returns the trace without the trees whose root started before a time.
func (t Trace) since(moment time.Time) Trace {
	early := map[string]bool{}
	forest := spantree.Build(t.Spans())
	forest.Roots = slices.DeleteFunc(forest.Roots, func(n *spantree.Node) bool { return !n.Span.Start.Before(moment) })
	for _, span := range forest.Spans() {
		early[span.SpanID] = true
	}
	t.elements = slices.DeleteFunc(slices.Clone(t.elements), func(e element) bool { return early[e.span.SpanID().String()] })
	return t
}

// Forest returns the spans as trees. The roots of continuations are children of the spans that they
// continue.
func (t Trace) Forest() *spantree.Forest {
	forest := spantree.Build(t.Spans())
	if len(t.writers) == 0 {
		return forest
	}
	nodes := map[[2]string]*spantree.Node{}
	forest.Walk(func(n *spantree.Node, _ int) bool {
		if key := [2]string{n.Span.TraceID, n.Span.SpanID}; n.Defect != spantree.DefectDuplicate {
			nodes[key] = n
		}
		return true
	})
	forest.Roots = slices.DeleteFunc(forest.Roots, func(root *spantree.Node) bool {
		w := t.writers[root.Span.TraceID]
		parent := nodes[[2]string{w.traceID, w.spanID}]
		if parent == nil {
			return false
		}
		parent.Children = append(parent.Children, root)
		slices.SortStableFunc(parent.Children, func(a, b *spantree.Node) int { // In the order of spantree.
			return cmp.Or(a.Span.Start.Compare(b.Span.Start), cmp.Compare(a.Span.Name, b.Span.Name), cmp.Compare(a.Span.SpanID, b.Span.SpanID))
		})
		return true
	})
	return forest
}
