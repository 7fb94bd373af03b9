package generated

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// wire is the connection of a run's clients to the API server. It records requests, injects faults
// and updates the ledger.
type wire struct {
	log    *transcript // nil records nothing
	ledger *ledger
	faults map[int]string
	writes atomic.Int64 // requests that may write, since the start
}

func newWire(o operator, log *transcript, l *ledger) *wire {
	w := &wire{log: log, ledger: l, faults: map[int]string{}}
	for _, f := range o.Faults {
		w.faults[f.N] = f.Kind
	}
	return w
}

// config returns a copy of the server's configuration that connects through w.
func (w *wire) config(o operator) *rest.Config {
	c := rest.CopyConfig(server)
	c.QPS = -1
	if !o.Protobuf {
		c.ContentType = "application/json"
	}
	c.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) { return w.roundTrip(next, r) })
	})
	return c
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (w *wire) roundTrip(next http.RoundTripper, req *http.Request) (*http.Response, error) {
	body, err := w.request(req)
	if err != nil || req.Method == http.MethodGet {
		if err != nil {
			return nil, err
		}
		return next.RoundTrip(req)
	}
	switch w.faults[int(w.writes.Add(1))] {
	case "conflict":
		return w.status(req, http.StatusConflict, metav1.StatusReasonConflict), nil
	case "lost":
		resp, err := w.send(next, req)
		if err != nil {
			return nil, err
		}
		if err := resp.Body.Close(); err != nil {
			return nil, err
		}
		return w.status(req, http.StatusInternalServerError, metav1.StatusReasonInternalError), nil
	case "delay":
		select {
		case <-time.After(20 * time.Millisecond):
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	return w.send(next, req)
}

// request records a request and returns its body.
func (w *wire) request(req *http.Request) ([]byte, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	if w.log == nil {
		return body, nil
	}
	text := string(body)
	if contentType := req.Header.Get("Content-Type"); strings.Contains(contentType, "protobuf") && len(body) > 0 {
		m, err := decode(contentType, body)
		if err != nil {
			return nil, err
		}
		data, err := json.Marshal(m)
		if err != nil {
			return nil, err
		}
		text = string(data)
	}
	w.log.add("  %s %s %s %s", req.Method, req.URL.RequestURI(), req.Header.Get("Content-Type"), withoutManagedFields([]byte(text)))
	return body, nil
}

// send sends a write and records the response.
func (w *wire) send(next http.RoundTripper, req *http.Request) (*http.Response, error) {
	resp, err := next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if err := resp.Body.Close(); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(data))
	changed := false
	if resp.StatusCode < 300 {
		if changed, err = w.ledger.wrote(req, resp.Header.Get("Content-Type"), data); err != nil {
			return nil, err
		}
	}
	if w.log != nil {
		w.log.add("    response %d, changed: %t", resp.StatusCode, changed)
	}
	return resp, nil
}

// status returns the response of a failing server.
func (w *wire) status(req *http.Request, code int32, reason metav1.StatusReason) *http.Response {
	if w.log != nil {
		w.log.add("    injected %s", reason)
	}
	data := fmt.Appendf(nil, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"injected","reason":%q,"code":%d}`, reason, code)
	return &http.Response{
		StatusCode: int(code), Status: http.StatusText(int(code)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(data)), ContentLength: int64(len(data)),
	}
}

// newClient returns a client for the configuration that does not discover resources.
func newClient(c *rest.Config) (client.Client, error) {
	h, err := rest.HTTPClientFor(c)
	if err != nil {
		return nil, err
	}
	return client.New(c, client.Options{HTTPClient: h, Scheme: scheme, Mapper: mapper})
}
