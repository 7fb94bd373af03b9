package inject

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// fakeServer is an API server for objects in JSON. It checks nothing.
type fakeServer struct {
	*httptest.Server

	mu       sync.Mutex
	version  int
	objects  map[string]map[string]any // by path
	requests []string
	watchers map[chan string]string // the path that each watches
}

func newFakeServer(tb testing.TB) *fakeServer {
	tb.Helper()
	s := &fakeServer{objects: map[string]map[string]any{}, watchers: map[chan string]string{}}
	s.Server = httptest.NewServer(s)
	tb.Cleanup(s.Close)
	return s
}

func (s *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("watch") == "true" {
		s.watch(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	obj, exists := s.objects[r.URL.Path]
	path, event := r.URL.Path, "MODIFIED"
	switch r.Method {
	case http.MethodGet:
		if list, ok := s.list(path); ok {
			reply(w, http.StatusOK, list)
			return
		}
	case http.MethodPost:
		_ = json.Unmarshal(body, &obj)
		meta := obj["metadata"].(map[string]any)
		if prefix, ok := meta["generateName"].(string); ok {
			meta["name"] = fmt.Sprint(prefix, "x", s.version)
		}
		path += "/" + meta["name"].(string)
		if _, exists = s.objects[path]; exists {
			reply(w, http.StatusConflict, map[string]any{"kind": "Status", "code": http.StatusConflict})
			return
		}
		meta["uid"], exists, event = fmt.Sprint("uid-", s.version), true, "ADDED"
	case http.MethodPut:
		if exists {
			obj = map[string]any{}
			_ = json.Unmarshal(body, &obj)
		}
	case http.MethodDelete:
		delete(s.objects, path)
		event = "DELETED"
	}
	if !exists {
		reply(w, http.StatusNotFound, map[string]any{"kind": "Status", "code": http.StatusNotFound})
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodPatch { // patches change nothing
		s.store(path, event, obj)
	}
	code := http.StatusOK
	if event == "ADDED" {
		code = http.StatusCreated
	}
	reply(w, code, obj)
}

// store stores an object with a new version and sends the event. The caller holds the lock.
func (s *fakeServer) store(path, event string, obj map[string]any) {
	s.version++
	obj["metadata"].(map[string]any)["resourceVersion"] = fmt.Sprint(100 + s.version)
	if event != "DELETED" {
		s.objects[path] = obj
	}
	line, _ := json.Marshal(map[string]any{"type": event, "object": obj})
	for c, watched := range s.watchers {
		if strings.HasPrefix(path, watched+"/") {
			c <- string(line) + "\n"
		}
	}
}

func (s *fakeServer) list(path string) (map[string]any, bool) {
	last := path[strings.LastIndex(path, "/")+1:]
	if last != "configmaps" {
		return nil, false
	}
	items := []any{}
	for p, obj := range s.objects {
		if strings.HasPrefix(p, path+"/") {
			items = append(items, obj)
		}
	}
	return map[string]any{"kind": "ConfigMapList", "apiVersion": "v1", "metadata": map[string]any{"resourceVersion": fmt.Sprint(100 + s.version)}, "items": items}, true
}

func (s *fakeServer) watch(w http.ResponseWriter, r *http.Request) {
	events := make(chan string, 100)
	s.mu.Lock()
	s.requests = append(s.requests, "WATCH "+r.URL.Path)
	s.watchers[events] = r.URL.Path
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, events)
	}()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	for {
		select {
		case line := <-events:
			_, _ = io.WriteString(w, line)
			_ = http.NewResponseController(w).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func reply(w http.ResponseWriter, code int, obj map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(obj)
}

// seen returns the requests so far.
func (s *fakeServer) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.requests...)
}

const configMaps = "/api/v1/namespaces/ns-1/configmaps"

// operatorClient sends requests through an injector.
type operatorClient struct {
	t    testing.TB
	base string
	http *http.Client
}

func clientOf(tb testing.TB, s *fakeServer, i http.RoundTripper) *operatorClient {
	tb.Helper()
	return &operatorClient{tb, s.URL, &http.Client{Transport: i}}
}

// do sends a request and returns the code, the body and the error.
func (c *operatorClient) do(method, path, body string) (int, string, error) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), err
}

func (c *operatorClient) create(name string) (int, string, error) {
	c.t.Helper()
	return c.do(http.MethodPost, configMaps, fmt.Sprintf(`{"kind":"ConfigMap","apiVersion":"v1","metadata":{"namespace":"ns-1","name":%q}}`, name))
}

// newInjector returns an injector in front of the server.
func newInjector(tb testing.TB, o Options) *Injector {
	tb.Helper()
	o.Namespace = "ns-1"
	i, err := New(http.DefaultTransport, o)
	if err != nil {
		tb.Fatal(err)
	}
	return i
}
