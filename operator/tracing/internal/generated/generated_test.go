package generated

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// outcome is the result of one run of an operator.
type outcome struct {
	lines   []string
	end     []string
	sampled bool
}

// play runs the operator in a mode. A run that differs from want ends early.
func play(ctx context.Context, s *scenario, mode string, want []string) (outcome, error) {
	w, err := newWorld(ctx, s, mode)
	if err != nil {
		return outcome{}, err
	}
	w.log.want = want
	l, err := newLockstep(w)
	if err != nil {
		return outcome{}, err
	}
	if err := l.run(ctx); err != nil {
		return outcome{}, err
	}
	end, err := w.end(ctx)
	return outcome{lines: w.log.lines, end: end, sampled: w.sampled()}, err
}

// compare runs the operator without the library and in a mode. It returns the difference between
// the runs, or "" if there is none.
func compare(ctx context.Context, o operator, mode string) (string, error) {
	s := &scenario{operator: o}
	want, err := play(ctx, s, plain, nil)
	if err != nil {
		return "", err
	}
	if err := sound(want.lines); err != nil {
		return "", err
	}
	got, err := play(ctx, s, mode, want.lines)
	if err != nil {
		return "", err
	}
	if d := difference(want.lines, got.lines); d != "" {
		return d, nil
	}
	if d := difference(want.end, got.end); d != "" {
		return "the objects differ at the end:\n" + d, nil
	}
	if wrote := slices.ContainsFunc(want.lines, func(l string) bool { return strings.HasSuffix(l, "changed: true") }); mode == traced && wrote && !got.sampled {
		return "the library recorded no span", nil
	}
	return "", nil
}

// sound returns an error if an operator without tracing loops, or never succeeds, because its run
// proves little.
func sound(lines []string) error {
	last := ""
	for _, line := range lines {
		if strings.HasPrefix(line, "not at rest") {
			return fmt.Errorf("generating an operator: without tracing it is %s", line)
		}
		if strings.HasPrefix(line, "result ") {
			last = line
		}
	}
	if !strings.HasSuffix(last, "error <nil>") {
		return fmt.Errorf("generating an operator: without tracing its last %s", last)
	}
	return nil
}

// shrink returns the simplest operator that still differs, and the difference. Its time is limited.
func shrink(ctx context.Context, o operator, mode, difference string) (operator, string) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for again := true; again; {
		again = false
		for _, simpler := range o.simpler() {
			if d, err := compare(ctx, simpler, mode); err == nil && d != "" {
				o, difference, again = simpler, d, true
				break
			}
		}
	}
	return o, difference
}

// TestTracingChangesNothing runs generated operators without and with the library. The API server
// must receive the same requests in the same order, byte for byte, and objects must have the same
// last write.
func TestTracingChangesNothing(t *testing.T) {
	t.Parallel()
	var shrunk atomic.Int64
	for _, o := range chosen(t) {
		t.Run(fmt.Sprintf("seed %d", o.Seed), func(t *testing.T) {
			t.Parallel()
			modes := []string{*compared}
			if o.Seed%4 == 0 {
				modes = append(modes, noopTP)
			}
			for _, mode := range modes {
				d, err := compare(t.Context(), o, mode)
				if err != nil {
					t.Fatalf("running the operator of seed %d: %v\n%s", o.Seed, err, o)
				}
				if d == "" {
					continue
				}
				small := o
				if shrunk.Add(1) <= *shrinks {
					small, d = shrink(t.Context(), o, mode, d)
				}
				t.Fatalf("%s differs from plain; repeat with -seed=%d, or with -operator='%s'\nfirst difference (- plain, + %s):\n%s", mode, o.Seed, small, mode, d)
			}
		})
	}
}

// chosen returns the operators to run.
func chosen(t *testing.T) []operator {
	t.Helper()
	switch {
	case *described != "":
		var o operator
		if err := json.Unmarshal([]byte(*described), &o); err != nil {
			t.Fatalf("reading -operator: %v", err)
		}
		return []operator{o}
	case *seed != 0:
		return []operator{generate(*seed)}
	}
	random := 1_000_000 + rand.Uint64N(1<<40)
	t.Logf("random seed: %d", random)
	out := append([]operator{generate(random)}, known...)
	for i := range *operators {
		out = append(out, generate(uint64(i+1)))
	}
	return out
}

// TestSeedsReachEverything checks that the fixed seeds of CI contain every verb, kind and fault.
func TestSeedsReachEverything(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for i := range 60 {
		o := generate(uint64(i + 1))
		seen["primary "+o.Primary], seen["finalizer "+o.Finalizer], seen["requeue "+o.Requeue] = true, true, true
		for _, s := range o.Steps {
			seen["verb "+s.Verb], seen["kind "+s.Kind], seen["after "+s.After] = true, true, true
		}
		for _, f := range o.Faults {
			seen["fault "+f.Kind] = true
		}
		for _, u := range o.Users {
			seen["user "+u] = true
		}
	}
	for class, values := range map[string][]string{
		"primary": {configMap, widget, gadget}, "finalizer": finalizerVerbs, "requeue": requeues, "kind": allKinds, "after": afters,
		"fault": faultKinds, "user": append(slices.Clone(userVerbs), "delete"), "verb": slices.Concat(names(childVerbs), names(ownVerbs), stepExtras),
	} {
		for _, v := range values {
			if !seen[class+" "+v] {
				t.Errorf("no operator of the fixed seeds has %s %q", class, v)
			}
		}
	}
}
