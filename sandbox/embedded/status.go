package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/version"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/process"
)

// Status is what one process is like now.
type Status struct {
	// Name is one of the names above.
	Name string
	// PID is the process id; 0 where it does not run.
	PID int
	// Since is when it was started.
	Since time.Time
	// Program is the path of what it runs; empty where it does not run.
	Program string
	// Log is the path of its log.
	Log string
	// Message says why it does not run: the last lines of its log; or that it was stopped. Empty where it runs.
	Message string
}

// Status looks at every process.
func (c *Cluster) Status() ([]Status, error) {
	var all []Status
	for _, name := range component.NamesOf(component.ProgramsOn(component.Embedded)) {
		s := Status{Name: name, Log: filepath.Join(c.table.Logs, name+".log")}
		p, err := c.table.Find(name)
		if err != nil {
			return nil, fmt.Errorf("looking for %s: %w", name, err)
		}
		if p != nil {
			s.PID, s.Since, s.Program = p.PID, p.Started, p.Spec.Path
			if p.Stopped {
				s.Message = "was stopped by a signal"
			}
		} else {
			s.Message = c.whyDead(name)
		}
		all = append(all, s)
	}
	return all, nil
}

// deadLines is how much of its log tells why a process does not run.
const deadLines = 5

func (c *Cluster) whyDead(name string) string {
	tail := strings.TrimSpace(c.table.Tail(name, deadLines))
	if tail == "" {
		return "does not run"
	}
	return "does not run; the last lines of its log:\n" + tail
}

// Alive asks the API server whether it is ready.
func (c *Cluster) Alive(ctx context.Context) error { return c.apiServerReady(ctx) }

// Follow copies the last lines of a process's log to out; with follow, what comes later too, until ctx ends.
func (c *Cluster) Follow(ctx context.Context, out io.Writer, name string, lines int, follow bool) error {
	return c.table.Follow(ctx, out, name, lines, follow)
}

// Previous copies the last lines of what was in a process's log before it was started last.
func (c *Cluster) Previous(out io.Writer, name string, lines int) error {
	return c.table.Previous(out, name, lines)
}

// Version is the API server's, as vMAJOR.MINOR.PATCH.
func (c *Cluster) Version(ctx context.Context) (string, error) {
	client, err := c.clientset()
	if err != nil {
		return "", err
	}
	answer, err := client.Discovery().RESTClient().Get().AbsPath("/version").DoRaw(ctx)
	if err != nil {
		return "", fmt.Errorf("asking the API server for its version: %w", err)
	}
	var info version.Info
	if err := json.Unmarshal(answer, &info); err != nil {
		return "", fmt.Errorf("reading the API server's version: %w", err)
	}
	return info.GitVersion, nil
}

// WantAll finds a process that does not run. The error says in one line why.
func (c *Cluster) WantAll() error {
	for _, name := range component.NamesOf(component.ProgramsOn(component.Embedded)) {
		p, err := c.table.Find(name)
		if err != nil {
			return fmt.Errorf("looking for %s: %w", name, err)
		}
		if p == nil {
			return c.explain(&process.DiedError{Name: name, Tail: c.table.Tail(name, tailLines)})
		}
	}
	return nil
}
