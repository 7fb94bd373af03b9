package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
)

// auditPolicy makes the API server note who asked for what. A watch is noted
// when it begins, everything else when it is done.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

// request is one line of the API server's audit log.
type request struct {
	Verb string
	User struct{ Username string }
	Ref  struct {
		APIGroup, Resource, Subresource, Namespace, Name string
	} `json:"objectRef"`
	ResponseStatus struct{ Code int }
}

// resource is the request's target as an RBAC rule spells it.
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

// requests gives what the operator has asked the API server for, except what
// needs no permission (discovery has no resource).
func (c *testCluster) requests(t *testing.T) []request {
	t.Helper()
	file, err := os.Open(c.auditLog)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()

	var out []request
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			continue // a line that is being written
		}
		if r.User.Username == operatorUser && r.Ref.Resource != "" {
			out = append(out, r)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// probe asks one of the operator's health endpoints.
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
		return fmt.Errorf("%s answers %s", endpoint, answer.Status)
	}
	return nil
}

// logBuffer keeps the operator's log. It is safe for concurrent use.
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

// lines gives the lines of the log that have all the parts.
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

// tail gives the last n lines.
func (b *logBuffer) tail(n int) []string {
	all := b.lines()
	return all[max(0, len(all)-n):]
}
