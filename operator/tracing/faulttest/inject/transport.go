package inject

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/wire"
)

// transport sends the requests of one incarnation.
type transport struct {
	*Injector
	*incarnation

	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper for the current incarnation of the operator.
func (i *Injector) RoundTrip(req *http.Request) (*http.Response, error) {
	return i.Wrap(i.next).RoundTrip(req)
}

// Wrap returns a transport for the incarnation that is current now. After a kill its requests fail
// for ever, even when the next incarnation runs. It fits rest.Config.Wrap.
func (i *Injector) Wrap(next http.RoundTripper) http.RoundTripper {
	i.mu.Lock()
	defer i.mu.Unlock()
	return &transport{i, i.current, next}
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.refused(); err != nil {
		closeBody(req)
		return nil, err
	}
	q, ok := wire.ParseRequest(req)
	switch {
	case ok && q.Verb == "watch":
		return t.watch(req, q)
	case ok && q.Counts():
		return t.write(req, q)
	}
	resp, err := t.next.RoundTrip(req)
	if err == nil && (q.Verb == "get" || q.Verb == "list") {
		if resp, err = t.staleAnswer(req, q, resp); err != nil {
			return nil, err
		}
	}
	return t.unlessKilled(resp, err)
}

// refused returns the error of a request that finds no API server, or that comes from a dead
// operator.
func (t *transport) refused() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lastRequest = time.Now()
	switch {
	case t.dead:
		return ErrKilled
	case t.lastRequest.Before(t.down):
		return connectionError("dial", "connect", syscall.ECONNREFUSED)
	}
	return nil
}

// unlessKilled withholds an answer from an operator that was killed in the meantime.
func (t *transport) unlessKilled(resp *http.Response, err error) (*http.Response, error) {
	t.mu.Lock()
	dead := t.dead
	t.mu.Unlock()
	if !dead {
		return resp, err
	}
	if err == nil {
		resp.Body.Close() //nolint:errcheck // nothing reads it
	}
	return nil, ErrKilled
}

func connectionError(op, call string, errno syscall.Errno) error {
	return fmt.Errorf("%w: %w", ErrCut, &net.OpError{Op: op, Net: "tcp", Err: os.NewSyscallError(call, errno)})
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close() //nolint:errcheck // nothing reads it
	}
}

// answer returns a Status as the API server would send it.
func answer(req *http.Request, code int, reason metav1.StatusReason, retryAfter int32, format string, args ...any) *http.Response {
	status := metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Code: int32(code), Reason: reason, Message: fmt.Sprintf(format, args...), // an HTTP code
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if retryAfter > 0 {
		status.Details = &metav1.StatusDetails{RetryAfterSeconds: retryAfter}
		header.Set("Retry-After", strconv.Itoa(int(retryAfter)))
	}
	body, err := json.Marshal(status)
	if err != nil {
		body = nil // a Status has no field that cannot be encoded
	}
	return &http.Response{
		Status: strconv.Itoa(code) + " " + http.StatusText(code), StatusCode: code,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}
}
