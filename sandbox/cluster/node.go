package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/engine"
)

// The logs of the node.
const (
	// NodeLog is the log of the node's first process. The engine keeps it, even if the node is not
	// running.
	NodeLog = "node"
	// KubeletLog and ContainerdLog are logs in the node.
	KubeletLog    = "kubelet"
	ContainerdLog = "containerd"
)

// NodeLogs returns the names of the logs of the node.
func NodeLogs() []string { return []string{KubeletLog, ContainerdLog, NodeLog} }

// LogOptions select a part of a log.
type LogOptions struct {
	// Lines is the number of last lines to start with; a negative number means all lines.
	Lines int
	// Since omits older lines, if the lines have timestamps: in [NodeLog], and in kind's own node.
	// 0 omits nothing.
	Since time.Duration
	// Follow also copies new lines until the context ends.
	Follow bool
}

// Logs copies one of [NodeLogs] to out. Source is true if the node was built from source. With
// Follow, it returns nil when ctx ends.
func (c *Cluster) Logs(ctx context.Context, out io.Writer, name string, source bool, o LogOptions) error {
	args := append([]string{"exec", c.node()}, unitLog(name, source, o)...)
	if name == NodeLog {
		args = append(append([]string{"logs"}, ownLog(o)...), c.node())
	}
	if err := c.engine.Stream(ctx, out, args...); err != nil && (!o.Follow || ctx.Err() == nil) {
		return fmt.Errorf("reading the log of %s in node %s: %w", name, c.node(), err)
	}
	return nil
}

// ownLog returns the engine's arguments for the log of the container.
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

// unitLog returns the command that prints the log of a systemd unit in the node. A node built from
// source has no systemd; there the command prints the log file.
func unitLog(name string, source bool, o LogOptions) []string {
	if source {
		lines := "+1" // From the first line.
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

// Container is the engine's description of the node's container.
type Container struct {
	// Image is the digest of the image's configuration, which the engine uses as the id of the
	// image.
	Image string
	// Started is the time of the last start.
	Started time.Time
}

// Inspect returns the engine's description of the node's container, running or stopped.
func (c *Cluster) Inspect(ctx context.Context) (Container, error) {
	var answer struct {
		Image   string    `json:"image"`
		Started time.Time `json:"started"`
	}
	out, err := c.engine.Run(ctx, engine.Timeout, nil, "inspect", "--type=container",
		"--format", `{"image":{{json .Image}},"started":{{json .State.StartedAt}}}`, c.node())
	if err == nil {
		err = json.Unmarshal([]byte(out), &answer)
	}
	if err != nil {
		return Container{}, fmt.Errorf("inspecting node %s: %w", c.node(), err)
	}
	const bare = 64 // The length of a digest without algorithm, as podman prints it.
	if len(answer.Image) == bare {
		answer.Image = "sha256:" + answer.Image
	}
	return Container{Image: answer.Image, Started: answer.Started}, nil
}

// Descriptions returns the names of the descriptions that [Cluster.Describe] writes.
func Descriptions() []string {
	return []string{"version", "info", "container", "inspect", "images"}
}

// Describe writes a description of the engine (version, info), of the node (container, inspect) or
// of the images in the node. It does not describe other containers. The output may contain
// addresses of proxies with passwords.
func (c *Cluster) Describe(ctx context.Context, out io.Writer, what string) error {
	args, known := map[string][]string{
		"version":   {"version"},
		"info":      {"info"},
		"container": {"ps", "--all", "--filter", "label=io.x-k8s.kind.cluster=" + c.name},
		"inspect":   {"inspect", "--type=container", c.node()},
		"images":    {"exec", c.node(), "ctr", "--namespace=k8s.io", "images", "list"},
	}[what]
	if !known {
		return fmt.Errorf("describing cluster %s: unknown description %q", c.name, what)
	}
	return c.engine.Stream(ctx, out, args...)
}
