package inject

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/wire"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

// recordCreates returns the recording of two creates.
func recordCreates(t *testing.T) *plan.Recording {
	t.Helper()
	i := newInjector(t, Options{})
	c := clientOf(t, newFakeServer(t), i)
	i.Step("apply")
	for _, name := range []string{"a", "b"} {
		if code, _, err := c.create(name); err != nil || code != http.StatusCreated {
			t.Fatalf("create = %d, %v, want 201", code, err)
		}
	}
	return i.Recording()
}

// TestWriteFaults: each fault hits the second of two creates exactly once, and the operator tries
// again until it gets an answer.
func TestWriteFaults(t *testing.T) {
	t.Parallel()
	for fault, want := range map[plan.Fault]struct {
		code    int
		err     error
		applied bool // before the operator tries again
		kills   int64
	}{
		plan.Refuse500:         {code: http.StatusInternalServerError},
		plan.Refuse429:         {code: http.StatusTooManyRequests},
		plan.Refuse409:         {code: http.StatusConflict},
		plan.LostAnswer:        {err: syscall.ECONNRESET, applied: true},
		plan.LostAnswerTimeout: {code: http.StatusGatewayTimeout, applied: true},
		plan.KillBefore:        {err: ErrKilled, kills: 1},
		plan.KillAfter:         {err: ErrKilled, applied: true, kills: 1},
		plan.Unavailable:       {err: syscall.ECONNREFUSED},
		plan.LeaderChange:      {code: http.StatusCreated, applied: true, kills: 1},
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			var kills atomic.Int64
			hook := func() { kills.Add(1) }
			i := newInjector(t, Options{
				Plan: plan.Plan{Index: 2, Fault: fault}, Recording: recordCreates(t), Kill: hook, LeaderChange: hook,
				Hold: time.Millisecond, Outage: 50 * time.Millisecond,
			})
			server := newFakeServer(t)
			c := clientOf(t, server, i)
			i.Step("apply")
			// The order of the writes does not matter.
			code, _, err := c.create("b")
			if code != want.code || !errors.Is(err, want.err) {
				t.Errorf("create = %d, %v, want %d, %v", code, err, want.code, want.err)
			}
			if want.err != nil && !errors.Is(err, ErrCut) && !errors.Is(err, ErrKilled) {
				t.Errorf("create = %v, want an error for a proxy", err)
			}
			if applied := len(server.seen()) == 1; applied != want.applied {
				t.Errorf("the API server got %v, want a request: %t", server.seen(), want.applied)
			}
			if n := kills.Load(); n != want.kills || !i.Fired() {
				t.Errorf("%d kills, fired %t, want %d, true", n, i.Fired(), want.kills)
			}
			if want.err != nil {
				if _, _, err := c.create("a"); !errors.Is(err, ErrCut) && !errors.Is(err, ErrKilled) && fault != plan.LostAnswer {
					t.Errorf("create during the fault = %v, want an error", err)
				}
			}
			if slices.Contains([]plan.Fault{plan.KillBefore, plan.KillAfter}, fault) {
				<-i.Killed()
				i.Restart()
			}
			until(t, func() bool {
				code, _, err := c.create("b")
				return err == nil && (code == http.StatusCreated || code == http.StatusConflict)
			})
			until(t, func() bool { return i.Quiet() > 0 })
			if kills.Load() != want.kills {
				t.Errorf("%d kills after all, want %d", kills.Load(), want.kills)
			}
			faults := 0
			for _, w := range i.Recording().Writes {
				if w.Fault != "" {
					faults++
				}
			}
			if faults != 1 {
				t.Errorf("the fault hit %d writes, want 1", faults)
			}
		})
	}
}

// until waits for a condition.
func until(tb testing.TB, ok func() bool) {
	tb.Helper()
	deadline := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-time.After(time.Millisecond):
		case <-deadline:
			tb.Fatal("timeout after 10 s")
		}
	}
}

// TestRefusals: the answers are as client-go decodes them.
func TestRefusals(t *testing.T) {
	t.Parallel()
	i := newInjector(t, Options{Plan: plan.Plan{Index: 1, Fault: plan.Refuse429}, Recording: recordCreates(t)})
	c := clientOf(t, newFakeServer(t), i)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.base+configMaps, strings.NewReader(`{"metadata":{"name":"a"}}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Retry-After"); got != "1" {
		t.Errorf("Retry-After = %q, want 1", got)
	}
	if got := resp.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type = %q, want application/json", got)
	}
}

// TestDeadIncarnation: requests of a killed operator fail for ever, and requests of the next one pass.
func TestDeadIncarnation(t *testing.T) {
	t.Parallel()
	i := newInjector(t, Options{Plan: plan.Plan{Index: 1, Fault: plan.KillBefore}, Recording: recordCreates(t)})
	server := newFakeServer(t)
	old := clientOf(t, server, i.Wrap(http.DefaultTransport))
	if _, _, err := old.create("a"); !errors.Is(err, ErrKilled) {
		t.Fatalf("create = %v, want %v", err, ErrKilled)
	}
	if i.Quiet() != 0 {
		t.Errorf("Quiet() = %s while the operator is dead, want 0", i.Quiet())
	}
	i.Restart()
	if _, _, err := old.do(http.MethodGet, configMaps+"/a", ""); !errors.Is(err, ErrKilled) {
		t.Errorf("get of the old incarnation = %v, want %v", err, ErrKilled)
	}
	if got := server.seen(); len(got) > 0 {
		t.Errorf("the API server got %v from a dead operator, want nothing", got)
	}
	if code, _, err := clientOf(t, server, i.Wrap(http.DefaultTransport)).create("a"); err != nil || code != http.StatusCreated {
		t.Errorf("create of the new incarnation = %d, %v, want 201", code, err)
	}
	writes := i.Recording().Writes
	if len(writes) != 2 || writes[1].Incarnation != 1 {
		t.Errorf("the recording has %+v, want a write of the second incarnation", writes)
	}
}

// TestIdentity: generated names and the namespace are normalised, and equal writes are numbered.
func TestIdentity(t *testing.T) {
	t.Parallel()
	i := newInjector(t, Options{})
	c := clientOf(t, newFakeServer(t), i)
	i.Step("apply")
	_, body, err := c.do(http.MethodPost, configMaps, `{"kind":"ConfigMap","metadata":{"namespace":"ns-1","generateName":"web-"}}`)
	if err != nil {
		t.Fatal(err)
	}
	obj, _ := wire.ObjectOf([]byte(body))
	for range 2 {
		if _, _, err := c.do(http.MethodPut, configMaps+"/"+obj.Name, body); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := c.do(http.MethodPatch, "/apis/rbac.authorization.k8s.io/v1/clusterroles/of-ns-1", `{}`); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.do(http.MethodPut, "/api/v1/namespaces/other/configmaps/x", `{}`); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range i.Recording().Writes {
		got = append(got, w.String())
	}
	want := []string{
		"create configmaps web-*: 201",
		"update configmaps web-*: 200",
		"update configmaps web-* (#2): 200",
		"patch clusterroles of-~: 404",
		"update configmaps other/x: 404",
	}
	if !slices.Equal(got, want) {
		t.Errorf("writes = %q, want %q", got, want)
	}
	if w := i.Recording().Writes[0]; w.ActualName != obj.Name || w.UID == "" || w.ResourceVersion == "" || w.Step != "apply" {
		t.Errorf("the create is %+v, want the object of the answer", w)
	}
}

func TestUnknownTarget(t *testing.T) {
	t.Parallel()
	for _, p := range []plan.Plan{{Index: 3, Fault: plan.KillAfter}, {Index: 1, Fault: plan.WatchCut}, {Index: 0, Fault: plan.KillAfter}} {
		if _, err := New(nil, Options{Plan: p, Recording: recordCreates(t)}); err == nil {
			t.Errorf("New(%s) = nil, want an error", p)
		}
	}
	if _, err := New(nil, Options{Plan: plan.Plan{Index: 1, Fault: plan.KillAfter}}); err == nil {
		t.Error("New without a recording = nil, want an error")
	}
}

// TestNoChange: a write is without effect if the object keeps its version, unless the write ends its
// deletion.
func TestNoChange(t *testing.T) {
	t.Parallel()
	i := newInjector(t, Options{})
	server := newFakeServer(t)
	c := clientOf(t, server, i)
	_, body, _ := c.create("a")
	_, _, _ = c.do(http.MethodPatch, configMaps+"/a", `{}`)
	_, _, _ = c.do(http.MethodPut, configMaps+"/a", body)
	_, _, _ = c.do(http.MethodPut, configMaps+"/a", strings.Replace(body, `"name"`, `"deletionTimestamp":"2026-01-01T00:00:00Z","name"`, 1))
	_, _, _ = c.do(http.MethodPatch, configMaps+"/a", `{}`)
	var got []bool
	for _, w := range i.Recording().Writes {
		got = append(got, w.NoChange)
	}
	if want := []bool{false, true, false, false, false}; !slices.Equal(got, want) {
		t.Errorf("NoChange = %v, want %v", got, want)
	}
}
