package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// auditPolicy makes the API server log each request with its user. It logs a watch when it starts, and other
// requests when they end.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

// request is one line of the API server's audit log.
type request struct {
	AuditID string
	Stage   string
	Verb    string
	User    struct{ Username string }
	Ref     struct {
		APIGroup, Resource, Subresource, Namespace, Name string
	} `json:"objectRef"`
	ResponseStatus struct{ Code int }
}

// resource returns the target of the request in the form of an RBAC rule.
func (r request) resource() string {
	out := r.Ref.Resource
	if r.Ref.Subresource != "" {
		out += "/" + r.Ref.Subresource
	}
	if r.Ref.APIGroup != "" {
		out += "." + r.Ref.APIGroup
	}
	return out
}

func (r request) writes() bool {
	return r.Verb == "create" || r.Verb == "update" || r.Verb == "patch" || strings.HasPrefix(r.Verb, "delete")
}

// answered is true for one line of each request. For a watch it is the start.
func (r request) answered() bool {
	if r.Verb == "watch" {
		return r.Stage == "ResponseStarted"
	}
	return r.Stage == "ResponseComplete" || r.Stage == "Panic"
}

// auditLog reads the audit log of the API server, each line once. It is safe for concurrent use.
type auditLog struct {
	path string

	mu     sync.Mutex
	offset int64 // of the first line that was not complete
	seen   []request
}

// requests returns all requests of the operator.
func (a *auditLog) requests() ([]request, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	file, err := os.Open(a.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if _, err := file.Seek(a.offset, io.SeekStart); err != nil {
		return nil, err
	}
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return slices.Clone(a.seen), nil // the last line is not complete yet
		}
		if err != nil {
			return nil, err
		}
		a.offset += int64(len(line))
		var r request
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("reading the audit log: %w in %s", err, line)
		}
		if r.User.Username == operatorUser {
			a.seen = append(a.seen, r)
		}
	}
}

// requests returns the requests of the operator that require a permission. Discovery has no resource and
// requires none.
func (s *apiServer) requests(t *testing.T) []request {
	t.Helper()
	out, err := s.audit.requests()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(out, func(r request) bool { return r.Ref.Resource == "" })
}

// probe requests one of the operator's health endpoints.
func (c *testCluster) probe(ctx context.Context, endpoint string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/%s", c.probePort, endpoint), nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s responds with %s", endpoint, answer.Status)
	}
	return nil
}

// logBuffer stores the operator's log. It is safe for concurrent use.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// lines returns the lines of the log that contain all parts.
func (b *logBuffer) lines(parts ...string) []string {
	var out []string
next:
	for line := range strings.Lines(b.String()) {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				continue next
			}
		}
		out = append(out, line)
	}
	return out
}

// tail returns the last n lines.
func (b *logBuffer) tail(n int) []string {
	all := b.lines()
	return all[max(0, len(all)-n):]
}
