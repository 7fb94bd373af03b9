package inject

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/wire"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

// watching reads the events of a watch.
type watching struct {
	code   int
	lines  chan string // closed at the end
	err    error       // after lines is closed
	cancel context.CancelFunc
}

// watch opens a watch of ConfigMaps.
func (c *operatorClient) watch(query string) *watching {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+configMaps+"?watch=true&resourceVersion="+query, http.NoBody)
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := c.http.Do(req) //nolint:bodyclose // the goroutine closes it
	if err != nil {
		c.t.Fatal(err)
	}
	w := &watching{code: resp.StatusCode, lines: make(chan string, 100), cancel: cancel}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(w.lines)
		defer resp.Body.Close()
		r := bufio.NewReader(resp.Body)
		for {
			line, err := r.ReadString('\n')
			if line != "" {
				w.lines <- line
			}
			if err != nil {
				w.err = err
				return
			}
		}
	}()
	c.t.Cleanup(func() { cancel(); <-done })
	return w
}

// names returns the type and name of the next n events, or of all until the end of the watch.
func (w *watching) names(t *testing.T, n int) string {
	t.Helper()
	var out []string
	for len(out) < n {
		select {
		case line, ok := <-w.lines:
			if !ok {
				return strings.Join(append(out, "end"), " ")
			}
			f := wire.NewFrames(nil, "application/json")
			e, _ := f.Decode([]byte(line))
			obj, _ := wire.ObjectOf(e.Object)
			out = append(out, e.Type+":"+obj.Name)
		case <-time.After(10 * time.Second):
			t.Fatalf("timeout after %v", out)
		}
	}
	return strings.Join(out, " ")
}

// recordTriggers returns a recording with the events of a and b, and then another one of b.
func recordTriggers(t *testing.T) *plan.Recording {
	t.Helper()
	i := newInjector(t, Options{})
	c := clientOf(t, newFakeServer(t), i)
	w := c.watch("100")
	i.Step("apply")
	makeTriggers(t, c)
	if got := w.names(t, 3); got != "ADDED:a ADDED:b MODIFIED:b" {
		t.Fatalf("events %s, want three", got)
	}
	return i.Recording()
}

func makeTriggers(t *testing.T, c *operatorClient) {
	t.Helper()
	_, _, err := c.create("a")
	_, body, err2 := c.create("b")
	_, _, err3 := c.do(http.MethodPut, configMaps+"/b", body)
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
}

func TestTriggers(t *testing.T) {
	t.Parallel()
	r := recordTriggers(t)
	var got []string
	for _, x := range r.Triggers {
		got = append(got, fmt.Sprint(x.Identity, " ", x.Step, " ", x.AfterWrite > 0))
	}
	if len(got) != 3 || got[2] != "MODIFIED configmaps b apply true" {
		t.Errorf("triggers = %q, want three", got)
	}
	if len(r.Watched) != 1 || r.Watched[0].Resource != "configmaps" {
		t.Errorf("watched = %v, want configmaps", r.Watched)
	}
}

// TestWatchDelay: a held event and all later ones come in their order, and not before.
func TestWatchDelay(t *testing.T) {
	t.Parallel()
	const delay = 200 * time.Millisecond
	i := newInjector(t, Options{Plan: plan.Plan{Index: 2, Fault: plan.WatchDelay}, Recording: recordTriggers(t), Delay: delay})
	c := clientOf(t, newFakeServer(t), i)
	w := c.watch("100")
	i.Step("apply")
	start := time.Now()
	makeTriggers(t, c)
	if got := w.names(t, 1); got != "ADDED:a" {
		t.Errorf("first event %s, want the event of a", got)
	}
	if got := w.names(t, 2); got != "ADDED:b MODIFIED:b" || time.Since(start) < delay {
		t.Errorf("events %s after %s, want both of b after %s", got, time.Since(start), delay)
	}
	if !i.Fired() {
		t.Error("the fault did not fire")
	}
	until(t, func() bool { return i.Quiet() > 0 })
}

// TestWatchCut: the watch ends before the event, the next one gets 410, and the one after a list
// passes.
func TestWatchCut(t *testing.T) {
	t.Parallel()
	i := newInjector(t, Options{Plan: plan.Plan{Index: 2, Fault: plan.WatchCut}, Recording: recordTriggers(t)})
	c := clientOf(t, newFakeServer(t), i)
	w := c.watch("100")
	i.Step("apply")
	makeTriggers(t, c)
	if got := w.names(t, 3); got != "ADDED:a end" || !errors.Is(w.err, io.EOF) {
		t.Errorf("events %s, error %v, want the event of a and the end", got, w.err)
	}
	if i.Quiet() != 0 {
		t.Errorf("Quiet() = %s before the list, want 0", i.Quiet())
	}
	if again := c.watch("101"); again.code != http.StatusGone {
		t.Errorf("next watch = %d, want 410", again.code)
	}
	last := c.watch("104")
	if last.code != http.StatusOK {
		t.Errorf("watch after the list = %d, want 200", last.code)
	}
	makeMore := func() { _, _, _ = c.create("c") }
	makeMore()
	if got := last.names(t, 1); got != "ADDED:c" {
		t.Errorf("event %s, want the event of c", got)
	}
	until(t, func() bool { return i.Quiet() > 0 })
}

// TestStaleRead: until the next event of the object comes, its event is held, and reads that may be
// stale have the version before.
func TestStaleRead(t *testing.T) {
	t.Parallel()
	i := newInjector(t, Options{Plan: plan.Plan{Index: 3, Fault: plan.StaleRead}, Recording: recordTriggers(t), Delay: time.Minute})
	server := newFakeServer(t)
	c := clientOf(t, server, i)
	w := c.watch("100")
	i.Step("apply")
	makeTriggers(t, c)
	if got := w.names(t, 2); got != "ADDED:a ADDED:b" {
		t.Errorf("events %s, want two", got)
	}
	until(t, i.Fired)
	version := func(path string) string {
		_, body, err := c.do(http.MethodGet, path, "")
		if err != nil {
			t.Fatal(err)
		}
		obj, _ := wire.MetadataOf([]byte(body))
		return obj.ResourceVersion
	}
	for path, want := range map[string]string{
		configMaps + "/b":                   "103", // never stale in Kubernetes
		configMaps + "/b?resourceVersion=0": "102",
		configMaps + "/a?resourceVersion=0": "101",
		configMaps:                          "103",
		configMaps + "?resourceVersion=0":   "102",
	} {
		if got := version(path); got != want {
			t.Errorf("GET %s has version %s, want %s", path, got, want)
		}
	}
	_, body, _ := c.do(http.MethodGet, configMaps+"/b", "")
	if _, _, err := c.do(http.MethodPut, configMaps+"/b", body); err != nil {
		t.Fatal(err)
	}
	if got := w.names(t, 2); got != strings.Repeat(" MODIFIED:b", 2)[1:] {
		t.Errorf("events %s, want both of b", got)
	}
	until(t, func() bool { return i.Quiet() > 0 })
	if got := version(configMaps + "/b?resourceVersion=0"); got != "104" {
		t.Errorf("version %s after the fault, want 104", got)
	}
}

// TestKillEndsWatches: no event reaches a killed operator.
func TestKillEndsWatches(t *testing.T) {
	t.Parallel()
	i := newInjector(t, Options{Plan: plan.Plan{Index: 1, Fault: plan.KillAfter}, Recording: recordCreates(t)})
	c := clientOf(t, newFakeServer(t), i)
	w := c.watch("100")
	i.Step("apply")
	if _, _, err := c.create("a"); !errors.Is(err, ErrKilled) {
		t.Errorf("create = %v, want %v", err, ErrKilled)
	}
	if got := w.names(t, 2); got != "end" && got != "ADDED:a end" || w.err == nil {
		t.Errorf("events %s, error %v, want the end", got, w.err)
	}
	if i.Synced(nil) {
		t.Error("Synced() = true for a dead operator")
	}
}
