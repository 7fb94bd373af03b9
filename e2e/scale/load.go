package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// look is the interval between two reads of the traces of ready Heads. A shorter interval would
// measure the cost of the reads.
const look = time.Second

// load is a set of Heads that were created at once.
type load struct {
	cluster  client.WithWatch
	jaeger   *jaeger.Client
	tree     string
	progress io.Writer

	started  time.Time
	creating time.Duration

	mu    sync.Mutex // It guards the fields of the heads.
	heads map[string]*head
}

// head is one Head. Unknown times are zero.
type head struct {
	name, trace              string
	created, ready, complete time.Time
}

// await waits until each Head is ready and has a complete trace.
func (c *load) await(ctx context.Context) error {
	err := wait.PollUntilContextCancel(ctx, look, true, func(ctx context.Context) (bool, error) {
		incomplete, unready := c.pending()
		fmt.Fprintf(c.progress, "%.0f s: %d Heads not ready, %d more without a complete trace\n", time.Since(c.started).Seconds(), unready, len(incomplete))
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(2) // More would compete with the sandbox for the processors.
		for _, h := range incomplete {
			group.Go(func() error { return c.read(ctx, h) })
		}
		return unready+len(incomplete) == 0, group.Wait()
	})
	if err != nil {
		incomplete, unready := c.pending()
		c.explain(incomplete)
		return fmt.Errorf("%d Heads are not ready, %d more have no complete trace: %w", unready, len(incomplete), err)
	}
	return nil
}

// explained is the number of incomplete traces that are shown.
const explained = 2

// explain prints how some incomplete traces differ from the expected tree.
func (c *load) explain(incomplete []*head) {
	for _, h := range incomplete[:min(len(incomplete), explained)] {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // The context of the wait has ended.
		trace, result, err := c.match(ctx, h)
		cancel()
		if err != nil {
			fmt.Fprintf(c.progress, "the trace of Head %s: %v\n", h.name, err)
			continue
		}
		fmt.Fprintf(c.progress, "the trace of Head %s has %d spans:\n%s", h.name, trace.Len(), result.Explain())
	}
}

// pending returns the ready Heads without a complete trace, and the number of Heads that are not ready.
func (c *load) pending() (incomplete []*head, unready int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.heads {
		switch {
		case h.ready.IsZero():
			unready++
		case h.complete.IsZero():
			incomplete = append(incomplete, h)
		}
	}
	return incomplete, unready
}

// read records whether the trace of a Head matches the expected tree. It returns an error if the
// trace has spans about another Head.
func (c *load) read(ctx context.Context, h *head) error {
	trace, result, err := c.match(ctx, h)
	if errors.Is(err, tracetree.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, span := range trace.Spans() {
		if name := span.Attributes["operator.object.name"]; name != h.name && name != h.name+"-child-a" {
			return fmt.Errorf("the trace of Head %s has span %s about %v", h.name, span.Name, name)
		}
	}
	if len(trace.Forest().Defective()) == 0 && result.OK() {
		c.mu.Lock()
		h.complete = time.Now()
		c.mu.Unlock()
	}
	return nil
}

// match compares the trace of a Head with the expected tree.
func (c *load) match(ctx context.Context, h *head) (tracetree.Trace, *spantree.Result, error) {
	trace, err := c.jaeger.GetTrace(ctx, h.trace)
	if err != nil {
		return trace, nil, err
	}
	file := spantree.Golden{Path: c.tree, Options: spantree.RecordOptions{Variables: map[string]string{"NAMESPACE": namespace, "HEAD": h.name}}}
	tree, err := file.Read()
	if err != nil {
		return trace, nil, err
	}
	return trace, spantree.Match(tree, trace.Forest()), nil
}

// others returns an error unless the Heads have one trace each, and no other trace about them
// exists.
func (c *load) others(ctx context.Context) error {
	own := map[string]bool{}
	for _, h := range c.heads {
		own[h.trace] = true
	}
	if len(own) != len(c.heads) {
		return fmt.Errorf("%d Heads have %d traces", len(c.heads), len(own))
	}
	found, err := c.jaeger.FindTraces(ctx, tracetree.Query{
		Service: service, Tags: map[string]string{"k8s.namespace.name": namespace}, Limit: 2 * len(c.heads),
	})
	if err != nil {
		return err
	}
	for _, trace := range found {
		if !own[trace.ID] {
			return fmt.Errorf("trace %s is about the Heads, but no Head names it:\n%s", trace.ID, trace.Forest())
		}
	}
	if len(found) != len(own) {
		return fmt.Errorf("finding the traces: Jaeger has %d of %d", len(found), len(own))
	}
	return nil
}

// report writes the row of the table.
func (c *load) report(out io.Writer, processes []measured) {
	ready := c.times(func(h *head) time.Time { return h.ready })
	complete := c.times(func(h *head) time.Time { return h.complete })
	fmt.Fprintf(out, "| %d | %.1f | %s | %s |", len(c.heads), c.creating.Seconds(), ready, complete)
	for _, p := range processes {
		fmt.Fprintf(out, " %s |", p.peak())
	}
	fmt.Fprintln(out)
}

// times returns the percentiles 50 and 95 of the seconds since the creation, and the number of
// known times if some are missing.
func (c *load) times(of func(*head) time.Time) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []float64
	for _, h := range c.heads {
		if at := of(h); !at.IsZero() {
			all = append(all, at.Sub(h.created).Seconds())
		}
	}
	if len(all) == 0 {
		return "- | -"
	}
	slices.Sort(all)
	at := func(percent int) float64 { return all[(len(all)*percent+99)/100-1] }
	text := fmt.Sprintf("%.1f | %.1f", at(50), at(95))
	if len(all) < len(c.heads) {
		text += fmt.Sprintf(" (of %d)", len(all))
	}
	return text
}

// measured is a process.
type measured struct {
	name string
	pid  int
}

func parseProcesses(text string) ([]measured, error) {
	var all []measured
	for _, pair := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) {
		name, number, _ := strings.Cut(pair, "=")
		pid, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("parsing %q: %w", pair, err)
		}
		all = append(all, measured{name, pid})
	}
	return all, nil
}

// peak returns the largest resident size of the process since its start, in MiB.
func (p measured) peak() string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return "-"
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmHWM:" {
			if kilobytes, err := strconv.Atoi(fields[1]); err == nil {
				return strconv.Itoa(kilobytes / 1024)
			}
		}
	}
	return "-"
}
