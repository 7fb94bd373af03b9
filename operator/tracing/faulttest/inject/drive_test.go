package inject

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/oracle"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

// driven is a run of a fake operator, which calls operate once in each of its lives.
type driven struct {
	options Options
	operate func(context.Context, *operatorClient)
	ready   func(*fakeServer) bool
	oracle  *oracle.Oracle
	quiet   time.Duration // default 20 ms

	snapshots *atomic.Int64 // counts them, unless it is nil
}

// drive does one step and returns the run.
func (d driven) drive(t *testing.T) *oracle.Run {
	t.Helper()
	server := newFakeServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	killed := make(chan struct{})
	d.options.Kill = func() { close(killed) }
	i := newInjector(t, d.options)
	apply := make(chan struct{})
	live := func() {
		c := clientOf(t, server, i.Wrap(http.DefaultTransport))
		w := c.watch("100")
		defer w.cancel()
		go func() {
			for range w.lines { // nothing reads the events, and the watch must not block
			}
		}()
		select {
		case <-apply:
			d.operate(ctx, c)
		case <-ctx.Done():
		}
		select {
		case <-killed:
		case <-ctx.Done():
		}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		live()
		if ctx.Err() == nil {
			i.Restart()
			killed = nil
			live()
		}
	}()
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	run := Drive(ctx, DriveOptions{
		Injector: i, Oracle: d.oracle, Plan: d.options.Plan,
		Bound: time.Second, Quiet: cmp.Or(d.quiet, 20*time.Millisecond), Poll: time.Millisecond,
		Snapshot: func(ctx context.Context) (oracle.Snapshot, error) {
			if d.snapshots != nil {
				d.snapshots.Add(1)
			}
			r := i.Recording()
			return oracle.TakeSnapshot(ctx, http.DefaultClient, base, "ns-1", r.Resources(), r)
		},
		Steps: []Step{{
			Name: "apply",
			Do:   func(context.Context) error { close(apply); return nil },
			Ready: func(context.Context) (bool, error) {
				if d.ready(server) {
					return true, nil
				}
				return false, errors.New("no ConfigMap")
			},
		}},
	})
	cancel()
	<-ended
	return run
}

func createOne(_ context.Context, c *operatorClient) { _, _, _ = c.create("a") }

func hasOne(s *fakeServer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.objects) > 0
}

func TestDrive(t *testing.T) {
	t.Parallel()
	clean := driven{operate: createOne, ready: hasOne}
	first := clean.drive(t)
	o, verdicts := oracle.Learn([]*oracle.Run{first, clean.drive(t)})
	if o == nil {
		t.Fatalf("Learn() = %v", verdicts)
	}
	for _, fault := range []plan.Fault{plan.KillBefore, plan.KillAfter} {
		run := driven{options: Options{Plan: plan.Plan{Index: 1, Fault: fault}, Recording: first.Recording}, operate: createOne, ready: hasOne, oracle: o}.drive(t)
		if got := o.Judge(run); len(got) > 0 {
			t.Errorf("%s: Judge() = %v, want none", fault, got)
		}
	}
	// It does not try again.
	run := driven{options: Options{Plan: plan.Plan{Index: 1, Fault: plan.Refuse500}, Recording: first.Recording}, operate: createOne, ready: hasOne, oracle: o}.drive(t)
	if got := o.Judge(run); len(got) != 1 || got[0].Kind != oracle.NotReady || run.Phases[0].Err == nil {
		t.Errorf("%s: Judge() = %v, want %q", plan.Refuse500, got, oracle.NotReady)
	}
}

func TestDriveEndless(t *testing.T) {
	t.Parallel()
	run := driven{
		operate: func(ctx context.Context, c *operatorClient) {
			_, body, _ := c.create("a")
			for ctx.Err() == nil {
				_, _, _ = c.do(http.MethodPut, configMaps+"/a", body)
			}
		},
		ready: hasOne,
		quiet: 700 * time.Millisecond,
	}.drive(t)
	if _, verdicts := oracle.Learn([]*oracle.Run{run, run}); len(verdicts) == 0 || verdicts[0].Kind != oracle.Endless {
		t.Errorf("Learn() = %v, want %q", verdicts, oracle.Endless)
	}
}

// TestDriveWaits: objects that differ from the clean runs may become equal until the bound.
func TestDriveWaits(t *testing.T) {
	t.Parallel()
	clean := driven{operate: createOne, ready: hasOne}
	oracle, verdicts := oracle.Learn([]*oracle.Run{clean.drive(t), clean.drive(t)})
	if oracle == nil {
		t.Fatalf("Learn() = %v", verdicts)
	}
	snapshots := &atomic.Int64{}
	run := driven{
		operate: func(ctx context.Context, c *operatorClient) {
			_, body, _ := c.create("a")
			_, _, _ = c.do(http.MethodPut, configMaps+"/a", strings.Replace(body, `"metadata"`, `"data":{"wrong":"1"},"metadata"`, 1))
			for snapshots.Load() < 3 && ctx.Err() == nil { // before the step, and twice after it
				wait(ctx, time.Millisecond)
			}
			_, _, _ = c.do(http.MethodPut, configMaps+"/a", body)
		},
		ready: hasOne, oracle: oracle, snapshots: snapshots,
	}.drive(t)
	if got := oracle.Compare("ns-1", "apply", run.Phases[0].Objects); len(got) > 0 {
		t.Errorf("Compare() = %v, want none", got)
	}
}
