package inject

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/wire"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

// watch opens a watch, and returns an answer whose body is a stream.
func (t *transport) watch(req *http.Request, q wire.Request) (*http.Response, error) {
	query := req.URL.Query()
	initial := query.Get("sendInitialEvents") == "true"
	from := query.Get("resourceVersion")
	key := watchKey(req.URL)
	if t.gone(key, !initial && from != "" && from != "0") {
		return answer(req, http.StatusGone, metav1.StatusReasonExpired, 0, "too old resource version: %s; injected by a fault", from), nil
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	resp, err := t.next.RoundTrip(req.WithContext(ctx))
	if err != nil || resp.StatusCode != http.StatusOK {
		if err == nil {
			resp.Body = &cancelled{resp.Body, cancel}
		} else {
			cancel(err)
		}
		return t.unlessKilled(resp, err)
	}
	s := &stream{
		transport: t, request: q, key: key, ctx: ctx, cancel: cancel,
		body: resp.Body, frames: wire.NewFrames(resp.Body, resp.Header.Get("Content-Type")), synced: !initial,
	}
	resp.Body = s
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dead {
		cancel(ErrKilled)
		return nil, errors.Join(ErrKilled, s.body.Close())
	}
	s.beforeFault = !t.fired
	t.streams[s] = struct{}{}
	if _, cut := t.relist[key]; cut {
		delete(t.relist, key)
		t.lastActivity, t.faultEnd = time.Now(), time.Now()
	}
	return resp, nil
}

// gone reports whether a watch must be answered with 410, because it was cut before and continues
// where it was.
func (t *transport) gone(key string, continues bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	answered, cut := t.relist[key]
	if !cut || answered || !continues {
		return false
	}
	t.relist[key] = true
	return true
}

// watchKey names what a watch watches, independently of where it starts.
func watchKey(u *url.URL) string {
	query := u.Query()
	return u.Path + "?" + query.Get("labelSelector") + "&" + query.Get("fieldSelector")
}

// cancelled is a body that ends the context of its request when it is closed.
type cancelled struct {
	io.ReadCloser

	cancel context.CancelCauseFunc
}

func (c *cancelled) Close() error {
	defer c.cancel(nil)
	return c.ReadCloser.Close()
}

// stream is the body of a watch. It passes on whole events, and holds or cuts them. Read and Close
// may be called concurrently.
type stream struct {
	*transport

	request wire.Request
	key     string
	ctx     context.Context //nolint:containedctx // of the request, whose body this is
	cancel  context.CancelCauseFunc
	body    io.ReadCloser
	frames  *wire.Frames
	// beforeFault is set if the watch was open before the fault, which then hits its copy of the
	// event, too.
	beforeFault bool
	synced      bool // the initial list is complete; protected by Injector.mu

	ready []byte    // to be returned by Read
	ahead chan read // of frames, while or after an event is held
	err   error
}

// read is a result of frames.next.
type read struct {
	frame []byte
	err   error
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	for len(s.ready) == 0 {
		if s.err != nil {
			return 0, s.err
		}
		s.ready, s.err = s.pull()
	}
	n := copy(p, s.ready)
	s.ready = s.ready[n:]
	return n, nil
}

// Close implements io.Closer.
func (s *stream) Close() error {
	s.cancel(context.Canceled)
	s.mu.Lock()
	delete(s.streams, s)
	s.mu.Unlock()
	return s.body.Close()
}

// pull returns the bytes of the next event, and the error that follows them.
func (s *stream) pull() ([]byte, error) {
	frame, err := s.nextFrame()
	if cause := context.Cause(s.ctx); cause != nil {
		return nil, cause // nothing reaches a dead operator
	}
	if err != nil {
		return s.frames.Rest(), err
	}
	e, ok := s.frames.Decode(frame)
	if !ok {
		return frame, nil
	}
	if e.Type == "BOOKMARK" {
		s.bookmark(e.Object)
		return frame, nil
	}
	obj, ok := wire.ObjectOf(e.Object)
	if !ok {
		return frame, nil
	}
	switch s.deliver(e, obj) {
	case plan.WatchCut:
		s.cancel(io.EOF)
		s.mu.Lock()
		delete(s.streams, s)
		s.mu.Unlock()
		return nil, io.EOF
	case plan.WatchDelay:
		wait(s.ctx, s.o.Delay)
		s.endFault()
	case plan.StaleRead:
		return s.hold(frame, obj)
	}
	return frame, context.Cause(s.ctx)
}

// bookmark notes the end of the initial list.
func (s *stream) bookmark(data []byte) {
	obj, _ := wire.MetadataOf(data)
	if obj.Annotations[metav1.InitialEventsAnnotationKey] != "true" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.synced = true
}

// deliver records an event, and returns the fault that hits it, or "".
func (s *stream) deliver(e wire.Event, obj metav1.PartialObjectMetadata) plan.Fault {
	q := s.request
	d := delivery{wire.Object{Group: q.Group, Resource: q.Resource, Namespace: obj.Namespace, Name: obj.Name}, e.Type, obj.ResourceVersion}
	s.names.Learn(d.Object, obj.GenerateName)
	id := plan.Identity{
		Verb: e.Type, Group: q.Group, Resource: q.Resource,
		Namespace: s.names.Namespace(obj.Namespace), Name: s.names.Name(d.Object),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.versions[d.Object] = obj.ResourceVersion
	s.rememberVersion(d, e.Object, s.frames.Protobuf)
	if !s.synced || !s.isTrigger(d) {
		return ""
	}
	index, seen := s.delivered[d]
	if !seen {
		s.started[id]++
		id.Ordinal = s.started[id]
		index = len(s.recording.Triggers)
		s.delivered[d] = index
		s.recording.Triggers = append(s.recording.Triggers, plan.Trigger{
			Identity: id, Index: index + 1, Version: q.Version,
			ActualNamespace: obj.Namespace, ActualName: obj.Name, UID: string(obj.UID), ResourceVersion: obj.ResourceVersion,
			Step: s.step, AfterWrite: len(s.recording.Writes),
		})
	}
	if s.o.Plan.Fault.Target() != plan.TargetTrigger {
		return ""
	}
	if !s.fired && s.recording.Triggers[index].Identity == s.target {
		s.fired, s.hit = true, d
	}
	if !s.fired || s.hit != d || !s.beforeFault {
		return ""
	}
	s.beforeFault = false // once for each watch
	s.recording.Triggers[index].Fault = s.o.Plan.Fault
	return s.startFault(s.o.Plan.Fault, d)
}

// startFault notes that a fault of a trigger is in progress. The caller holds the lock.
func (s *stream) startFault(f plan.Fault, d delivery) plan.Fault {
	switch f {
	case plan.WatchCut:
		s.relist[s.key] = false
	case plan.StaleRead:
		s.startStale(d)
		s.enter()
	default:
		s.enter()
	}
	return f
}

// isTrigger reports whether an event is about the run, and not about other objects of the cluster.
// An object without a namespace is part of the run if the operator wrote it. The caller holds the lock.
func (s *stream) isTrigger(d delivery) bool {
	switch {
	case wire.IsNoise(d.Group, d.Resource):
		return false
	case s.o.Namespace == "":
		return d.Resource != "nodes"
	case d.Namespace != "":
		return d.Namespace == s.o.Namespace
	}
	return s.written[d.Object] || strings.Contains(d.Name, s.o.Namespace)
}
