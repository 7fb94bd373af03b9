package inject

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/wire"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

// staleObject is an object whose last event is held.
type staleObject struct {
	wire.Object

	holders int // watches that hold the event
	// listVersion is a resourceVersion right before the event.
	listVersion string
	// before is the version before the event, or nil if the object did not exist or is not known.
	before *version
}

// version is a version of an object, encoded as its watch delivered it.
type version struct {
	resourceVersion string
	deleted         bool
	protobuf        bool
	data            []byte
}

// rememberVersion keeps the last two versions of an object for StaleRead. The caller holds the lock.
func (i *Injector) rememberVersion(d delivery, data []byte, protobuf bool) {
	if i.o.Plan.Fault != plan.StaleRead || d.Group != i.target.Group || d.Resource != i.target.Resource {
		return
	}
	past := i.past[d.Object]
	if n := len(past); n > 0 && past[n-1].resourceVersion == d.resourceVersion {
		return
	}
	past = append(past, &version{d.resourceVersion, d.eventType == "DELETED", protobuf, bytes.Clone(data)})
	i.past[d.Object] = past[max(0, len(past)-2):]
}

// startStale starts to serve an object from the version before an event. The caller holds the lock.
func (i *Injector) startStale(d delivery) {
	if i.stale != nil {
		i.stale.holders++
		return
	}
	i.stale = &staleObject{Object: d.Object, holders: 1}
	past := i.past[d.Object]
	at := slices.IndexFunc(past, func(v *version) bool { return v.resourceVersion == d.resourceVersion })
	if at > 0 && !past[at-1].deleted {
		i.stale.before = past[at-1]
	}
	// Kubernetes compares resource versions as numbers.
	if n, err := strconv.ParseUint(d.resourceVersion, 10, 64); err == nil && n > 0 {
		i.stale.listVersion = strconv.FormatUint(n-1, 10)
	}
}

func (i *Injector) endStale() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.stale.holders--; i.stale.holders == 0 {
		i.stale = nil
	}
}

// staleAnswer returns an answer from before the event that is held, if the request is about that
// object and allows it. Otherwise it returns the answer of the API server.
func (i *Injector) staleAnswer(req *http.Request, q wire.Request, resp *http.Response) (*http.Response, error) {
	i.mu.Lock()
	stale := i.stale
	i.mu.Unlock()
	accept := req.Header.Get("Accept")
	if stale == nil || q.Group != stale.Group || q.Resource != stale.Resource || q.Subresource != "" ||
		req.URL.Query().Get("resourceVersion") == "" || strings.Contains(accept, "as=") {
		return resp, nil
	}
	if q.Verb == "list" {
		return i.staleList(stale, q, resp)
	}
	if q.Name != stale.Name || q.Namespace != stale.Namespace {
		return resp, nil
	}
	v := stale.before
	if v == nil {
		defer resp.Body.Close()
		return answer(req, http.StatusNotFound, metav1.StatusReasonNotFound, 0, "%s %q not found; stale by a fault", q.Resource, q.Name), nil
	}
	if v.protobuf && !strings.Contains(accept, "protobuf") {
		return resp, nil
	}
	contentType := "application/json"
	if v.protobuf {
		contentType = "application/vnd.kubernetes.protobuf"
	}
	return replaceBody(resp, http.StatusOK, contentType, v.data), nil
}

// staleList replaces the object in a list in JSON. Other lists stay as they are.
func (i *Injector) staleList(stale *staleObject, q wire.Request, resp *http.Response) (*http.Response, error) {
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") ||
		resp.Header.Get("Content-Encoding") != "" || stale.listVersion == "" || stale.before != nil && stale.before.protobuf ||
		q.Namespace != "" && q.Namespace != stale.Namespace {
		return resp, nil
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close() //nolint:errcheck // it has been read
	if err != nil {
		return nil, err
	}
	var list map[string]json.RawMessage
	var items []json.RawMessage
	var meta map[string]any
	if json.Unmarshal(body, &list) != nil || json.Unmarshal(list["items"], &items) != nil || json.Unmarshal(list["metadata"], &meta) != nil {
		return replaceBody(resp, resp.StatusCode, "application/json", body), nil
	}
	at := slices.IndexFunc(items, func(item json.RawMessage) bool {
		obj, _ := wire.MetadataOf(item)
		return obj.Name == stale.Name && obj.Namespace == stale.Namespace
	})
	if at >= 0 {
		items = slices.Delete(items, at, at+1)
	}
	if stale.before != nil {
		items = append(items, stale.before.data)
	}
	meta["resourceVersion"] = stale.listVersion
	if list["items"], err = json.Marshal(items); err == nil {
		if list["metadata"], err = json.Marshal(meta); err == nil {
			body, err = json.Marshal(list)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("encoding a stale list of %s: %w", q.Resource, err)
	}
	return replaceBody(resp, resp.StatusCode, "application/json", body), nil
}

// replaceBody replaces the body of an answer.
func replaceBody(resp *http.Response, code int, contentType string, body []byte) *http.Response {
	resp.Body.Close() //nolint:errcheck // nothing reads it
	resp.StatusCode, resp.Status = code, strconv.Itoa(code)+" "+http.StatusText(code)
	resp.Header = resp.Header.Clone()
	resp.Header.Set("Content-Type", contentType)
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	resp.Header.Del("Content-Encoding")
	resp.ContentLength = int64(len(body))
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp
}

// nextFrame returns the next event, which may have been read ahead.
func (s *stream) nextFrame() ([]byte, error) {
	if s.ahead == nil {
		return s.frames.Next()
	}
	select {
	case r, ok := <-s.ahead:
		if !ok {
			return nil, io.EOF
		}
		return r.frame, r.err
	case <-s.ctx.Done():
		return nil, context.Cause(s.ctx)
	}
}

// readAhead reads events while others are held.
func (s *stream) readAhead() {
	if s.ahead != nil {
		return
	}
	s.ahead = make(chan read)
	go func() {
		defer close(s.ahead)
		for {
			frame, err := s.frames.Next()
			select {
			case s.ahead <- read{frame, err}:
			case <-s.ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
}

// hold holds an event until the next one of the object comes, or for a time, and returns all events
// up to then.
func (s *stream) hold(frame []byte, held metav1.PartialObjectMetadata) ([]byte, error) {
	defer s.endFault()
	defer s.endStale()
	s.readAhead()
	ctx, stop := context.WithTimeout(s.ctx, s.o.Delay)
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return frame, context.Cause(s.ctx)
		case r, ok := <-s.ahead:
			if !ok || r.err != nil {
				return frame, errOf(r)
			}
			frame = append(frame, r.frame...)
			e, ok := s.frames.Decode(r.frame)
			if !ok {
				continue
			}
			if obj, ok := wire.ObjectOf(e.Object); ok && e.Type != "BOOKMARK" {
				s.deliver(e, obj)
				if obj.Name == held.Name && obj.Namespace == held.Namespace {
					return frame, context.Cause(s.ctx)
				}
			}
		}
	}
}

func errOf(r read) error {
	if r.err == nil {
		return io.EOF
	}
	return r.err
}
