package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/version"

	"github.com/operator-tracing/sandbox/sandbox/cause"
	"github.com/operator-tracing/sandbox/sandbox/provider"
)

// Status is the state of one process.
type Status struct {
	provider.Process

	// Program is the path of its program; empty if the process is not running.
	Program string
	// Message explains why the process is not running, with the last lines of its log, or reports
	// that a signal suspended it. It is empty if the process is running.
	Message string
}

// Status returns the state of every process.
func (c *Cluster) Status() ([]Status, error) {
	var all []Status
	for _, name := range provider.ProcessNames() {
		s := Status{Process: provider.Process{Name: name, Log: c.table.LogPath(name)}}
		p, err := c.table.Find(name)
		switch {
		case err != nil:
			return nil, fmt.Errorf("finding %s: %w", name, err)
		case p == nil:
			s.Message = "is not running"
			tail := strings.TrimSpace(c.table.Tail(name, deadLines))
			if last := cause.Of(c.table.Tail(name, tailLines)); !strings.Contains(tail, strings.TrimSuffix(last, "…")) {
				s.Message += "; last error: " + last
			}
			if tail != "" {
				s.Message += "; end of its log:\n" + tail
			}
		default:
			s.PID, s.Since, s.Program = p.PID, &p.Started, p.Spec.Path
			if p.Stopped {
				s.Message = "was stopped by a signal"
			}
		}
		all = append(all, s)
	}
	return all, nil
}

// deadLines is the number of log lines in the message about a process that is not running.
const deadLines = 5

// Alive returns nil if the API server is ready.
func (c *Cluster) Alive(ctx context.Context) error { return c.apiServerReady(ctx) }

// Logs copies the log of a process.
func (c *Cluster) Logs(ctx context.Context, out io.Writer, name string, o provider.LogOptions) error {
	return provider.CopyLog(ctx, c.table, out, name, o)
}

// Version returns the version of the API server as vMAJOR.MINOR.PATCH.
func (c *Cluster) Version(ctx context.Context) (string, error) {
	client, err := c.clientset()
	if err != nil {
		return "", err
	}
	answer, err := client.Discovery().RESTClient().Get().AbsPath("/version").DoRaw(ctx)
	if err != nil {
		return "", fmt.Errorf("requesting the version of the API server: %w", err)
	}
	var info version.Info
	if err := json.Unmarshal(answer, &info); err != nil {
		return "", fmt.Errorf("parsing the version of the API server: %w", err)
	}
	return info.GitVersion, nil
}

// WantAll returns an error if a process is not running, with the reason in one line.
func (c *Cluster) WantAll() error {
	for _, name := range provider.ProcessNames() {
		if err := c.exited(name); err != nil {
			return err
		}
	}
	return nil
}
