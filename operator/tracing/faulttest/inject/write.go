package inject

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/wire"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

// pending is a write in progress.
type pending struct {
	index  int // in the recording, from 0
	fault  plan.Fault
	object wire.Object
	before string // the last known resourceVersion of the object, or empty
}

// write sends a write, and injects the fault if the plan is about it.
func (t *transport) write(req *http.Request, q wire.Request) (*http.Response, error) {
	o := wire.Object{Group: q.Group, Resource: q.Resource, Namespace: q.Namespace, Name: q.Name}
	var generateName string
	if q.Verb == "create" && q.Name == "" && req.Body != nil && req.Body != http.NoBody {
		body, err := io.ReadAll(req.Body)
		closeBody(req)
		if err != nil {
			return nil, err
		}
		copied := *req // a transport must not change the request
		copied.Body = io.NopCloser(bytes.NewReader(body))
		req = &copied
		if obj, ok := wire.ObjectOf(wire.Plain(req.Header, body)); ok {
			if o.Name = obj.Name; o.Name == "" {
				generateName = obj.GenerateName
			}
		}
	}
	p := t.start(q, o, generateName)
	defer t.end()
	resp, err := t.inject(req, p)
	return t.unlessKilled(resp, err)
}

// start records a write, and decides whether the fault hits it.
func (t *transport) start(q wire.Request, o wire.Object, generateName string) pending {
	id := plan.Identity{
		Verb: q.Verb, Group: q.Group, Resource: q.Resource, Subresource: q.Subresource,
		Namespace: t.names.Namespace(o.Namespace), Name: t.names.Name(o),
	}
	if generateName != "" {
		id.Name = t.names.Text(generateName) + "*"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.enter()
	t.written[o] = true
	t.started[id]++
	id.Ordinal = t.started[id]
	p := pending{index: len(t.recording.Writes), object: o, before: t.versions[o]}
	if !t.fired && !t.dead && t.o.Plan.Fault.Target() == plan.TargetWrite && id == t.target {
		t.fired = true
		p.fault = t.o.Plan.Fault
	}
	t.recording.Writes = append(t.recording.Writes, plan.Write{
		Identity: id, Index: p.index + 1, Version: q.Version,
		ActualNamespace: o.Namespace, ActualName: o.Name, GenerateName: generateName,
		Step: t.step, Incarnation: t.number, Start: time.Now(), Fault: p.fault,
	})
	return p
}

// inject sends the write to the API server, unless its fault forbids that, and returns the answer
// that the operator gets.
func (t *transport) inject(req *http.Request, p pending) (*http.Response, error) {
	name := p.object.Resource + " " + p.object.Name
	refuse := func(code int, reason metav1.StatusReason, retryAfter int32, message string) (*http.Response, error) {
		closeBody(req)
		return answer(req, code, reason, retryAfter, "%s: %s", name, message), nil
	}
	switch p.fault {
	case plan.Refuse500:
		return refuse(http.StatusInternalServerError, metav1.StatusReasonInternalError, 0, "internal error injected by a fault")
	case plan.Refuse429:
		return refuse(http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, 1, "too many requests; injected by a fault")
	case plan.Refuse409:
		return refuse(http.StatusConflict, metav1.StatusReasonConflict, 0, "the object has been modified; injected by a fault")
	case plan.KillBefore:
		closeBody(req)
		t.kill(t.incarnation)
		return nil, ErrKilled
	case plan.Unavailable:
		closeBody(req)
		t.outage()
		return nil, connectionError("dial", "connect", syscall.ECONNREFUSED)
	}
	resp, err := t.send(req, p)
	if err != nil {
		return nil, err
	}
	switch p.fault {
	case plan.LostAnswer:
		return nil, connectionError("read", "read", syscall.ECONNRESET)
	case plan.LostAnswerTimeout:
		wait(req.Context(), t.o.Hold)
		return refuse(http.StatusGatewayTimeout, metav1.StatusReasonTimeout, 0, "time-out injected by a fault")
	case plan.KillAfter:
		t.kill(t.incarnation)
		return nil, ErrKilled
	case plan.LeaderChange:
		if t.o.LeaderChange != nil {
			t.o.LeaderChange()
		}
	}
	return resp, nil
}

// send sends a write and records its result. The answer is the API server's, byte for byte.
func (t *transport) send(req *http.Request, p pending) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close() //nolint:errcheck // it has been read
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))

	obj, ok := wire.ObjectOf(wire.Plain(resp.Header, body))
	t.mu.Lock()
	defer t.mu.Unlock()
	w := &t.recording.Writes[p.index]
	w.Code, w.End = resp.StatusCode, time.Now()
	if !w.OK() || !ok || w.Subresource != "" && obj.Name != w.ActualName && w.ActualName != "" {
		return resp, nil
	}
	w.UID, w.ResourceVersion = string(obj.UID), obj.ResourceVersion
	// The update that removes the last finalizer ends a deletion, and its answer has the old version.
	w.NoChange = p.before != "" && p.before == obj.ResourceVersion && obj.DeletionTimestamp == nil
	p.object.Name = obj.Name
	if w.ActualName == "" {
		w.ActualName = obj.Name
	}
	t.names.Learn(p.object, obj.GenerateName)
	t.written[p.object] = true
	t.versions[p.object] = obj.ResourceVersion
	return resp, nil
}

// wait returns after a time, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
