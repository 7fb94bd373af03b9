package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"sync"
	"time"
)

// The logs of the node itself.
const (
	// NodeLog is what the node's first process wrote. The engine has it, also of a node that does not run.
	NodeLog = "node"
	// KubeletLog and ContainerdLog are in the node.
	KubeletLog    = "kubelet"
	ContainerdLog = "containerd"
)

// NodeLogs lists them.
func NodeLogs() []string { return []string{KubeletLog, ContainerdLog, NodeLog} }

// LogOptions choose a part of a log.
type LogOptions struct {
	// Lines is how many of the last lines to begin with; a negative number is all.
	Lines int
	// Since leaves out what is older than that, where lines have times: in [NodeLog], and on kind's own node; 0 leaves out nothing.
	Since time.Duration
	// Follow goes on with what is written from now on, until the context ends.
	Follow bool
}

// Logs copies one of [NodeLogs] to out. Source is whether the node was built from source. When ctx ends a follower, it returns
// nil.
func (c *Cluster) Logs(ctx context.Context, out io.Writer, name string, source bool, o LogOptions) error {
	args := append([]string{"exec", c.node()}, unitLog(name, source, o)...)
	if name == NodeLog {
		args = append(append([]string{"logs"}, ownLog(o)...), c.node())
	}
	if err := c.engine.stream(ctx, out, args...); err != nil && (!o.Follow || ctx.Err() == nil) {
		return fmt.Errorf("reading the log of %s in node %s: %w", name, c.node(), err)
	}
	return nil
}

// ownLog is the engine's arguments for the container's own log.
func ownLog(o LogOptions) []string {
	var args []string
	if o.Lines >= 0 {
		args = append(args, "--tail="+strconv.Itoa(o.Lines))
	}
	if o.Since > 0 {
		args = append(args, "--since="+o.Since.String())
	}
	if o.Follow {
		args = append(args, "--follow")
	}
	return args
}

// unitLog is the command in the node that prints the log of a unit of systemd, or, in a node from source, of what its own
// init runs.
func unitLog(name string, source bool, o LogOptions) []string {
	if source {
		lines := "+1" // From the first on.
		if o.Lines >= 0 {
			lines = strconv.Itoa(o.Lines)
		}
		args := []string{"tail", "--lines=" + lines}
		if o.Follow {
			args = append(args, "--follow=name", "--retry")
		}
		return append(args, "/var/log/"+name+".log")
	}
	args := []string{"journalctl", "--no-pager", "--unit=" + name}
	if o.Lines >= 0 {
		args = append(args, "--lines="+strconv.Itoa(o.Lines))
	}
	if o.Since > 0 {
		args = append(args, fmt.Sprintf("--since=-%ds", int(o.Since.Seconds())))
	}
	if o.Follow {
		args = append(args, "--follow")
	}
	return args
}

// stream calls the engine and copies what it prints to out. What it prints on stderr is a part of a container's own log, and else
// only says why a call failed.
func (e *Engine) stream(ctx context.Context, out io.Writer, args ...string) error {
	cmd := e.command(ctx, args...)
	last := &lastWords{}
	shared := &oneByOne{out: out}
	cmd.Stdout = shared
	cmd.Stderr = last
	if args[0] == "logs" {
		cmd.Stderr = io.MultiWriter(shared, last)
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running %s %s: %w: %s", e.Name, args[0], err, lastLine(last.String()))
	}
	return nil
}

// oneByOne is a writer for several goroutines.
type oneByOne struct {
	mu  sync.Mutex
	out io.Writer
}

func (w *oneByOne) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(data)
}

// lastWords keeps the end of what is written.
type lastWords struct{ bytes.Buffer }

// Write keeps the last 4 KiB and a little more.
func (w *lastWords) Write(data []byte) (int, error) {
	const most = 4 << 10
	if w.Len() > most {
		w.Next(w.Len() - most)
	}
	return w.Buffer.Write(data)
}

// Container is what the engine says of the node's container.
type Container struct {
	// Image is the digest of the image's configuration, which the engine calls its id.
	Image string
	// Started is when it was started last.
	Started time.Time
}

// Inspect asks the engine for the node's container. The container need not run.
func (c *Cluster) Inspect(ctx context.Context) (Container, error) {
	var answer struct {
		Image   string    `json:"image"`
		Started time.Time `json:"started"`
	}
	out, err := c.engine.run(ctx, engineTimeout, nil, "inspect", "--type=container",
		"--format", `{"image":{{json .Image}},"started":{{json .State.StartedAt}}}`, c.node())
	if err == nil {
		err = json.Unmarshal([]byte(out), &answer)
	}
	if err != nil {
		return Container{}, fmt.Errorf("inspecting node %s: %w", c.node(), err)
	}
	const bare = 64 // The digits of a digest, as podman prints it.
	if len(answer.Image) == bare {
		answer.Image = "sha256:" + answer.Image
	}
	return Container{Image: answer.Image, Started: answer.Started}, nil
}

// command is a call of the engine with its settings.
func (e *Engine) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, e.Name, args...)
	if e.ContainersConf != "" {
		cmd.Env = append(cmd.Environ(), "CONTAINERS_CONF="+e.ContainersConf)
	}
	cmd.WaitDelay = 2 * time.Second // A child of the engine, conmon say, may keep the pipes open.
	return cmd
}
