package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/engine"
	"github.com/operator-tracing/sandbox/sandbox/export"
	"github.com/operator-tracing/sandbox/sandbox/workload"
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

// Logs copies one of [NodeLogs] to out. Source is true if the node was built from source. With
// Follow, it returns nil when ctx ends. Since applies to lines with timestamps: in [NodeLog], and in
// kind's own node. No log has a part for Previous.
func (c *Cluster) Logs(ctx context.Context, out io.Writer, name string, source bool, o workload.LogOptions) error {
	if err := c.engine.Stream(ctx, out, c.logCommand(name, source, o)...); err != nil && (!o.Follow || ctx.Err() == nil) {
		return fmt.Errorf("reading the log of %s in node %s: %w", name, c.node(), err)
	}
	return nil
}

// logCommand returns the engine's arguments for a log: the log of the container, the log of a systemd
// unit in the node, or a file in a node built from source, which has no systemd.
func (c *Cluster) logCommand(name string, source bool, o workload.LogOptions) []string {
	args, lines, since, follow := []string{"exec", c.node(), "journalctl", "--no-pager", "--unit=" + name}, "--lines=", "", []string{"--follow"}
	var last []string
	switch {
	case name == NodeLog:
		args, lines, since, last = []string{"logs"}, "--tail=", "--since="+o.Since.String(), []string{c.node()}
	case source:
		args, follow, last = []string{"exec", c.node(), "tail"}, []string{"--follow=name", "--retry"}, []string{"/var/log/" + name + ".log"}
		if o.Lines < 0 {
			args = append(args, "--lines=+1") // From the first line.
		}
	default:
		since = fmt.Sprintf("--since=-%ds", int(o.Since.Seconds()))
	}
	if o.Lines >= 0 {
		args = append(args, lines+strconv.Itoa(o.Lines))
	}
	if o.Since > 0 && since != "" {
		args = append(args, since)
	}
	if o.Follow {
		args = append(args, follow...)
	}
	return append(args, last...)
}

// Container is the engine's description of the node's container.
type Container struct {
	// Image is the digest of the image's configuration, which the engine uses as the id of the
	// image.
	Image string `json:"image"`
	// Started is the time of the last start.
	Started time.Time `json:"started"`
}

// Inspect returns the engine's description of the node's container, running or stopped.
func (c *Cluster) Inspect(ctx context.Context) (Container, error) {
	var answer Container
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
	return answer, nil
}

// Descriptions returns parts of an export that describe the engine (version, info), the node (container,
// inspect) and the images in the node. They do not describe other containers. The output may contain
// addresses of proxies with passwords.
func (c *Cluster) Descriptions() []export.Part {
	var parts []export.Part
	for _, d := range []struct {
		name string
		args []string
	}{
		{"version", []string{"version"}},
		{"info", []string{"info"}},
		{"container", []string{"ps", "--all", "--filter", "label=io.x-k8s.kind.cluster=" + c.name}},
		{"inspect", []string{"inspect", "--type=container", c.node()}},
		{"images", []string{"exec", c.node(), "ctr", "--namespace=k8s.io", "images", "list"}},
	} {
		parts = append(parts, export.Part{Name: "node/" + d.name + ".txt", Get: func(ctx context.Context, out io.Writer) error {
			return c.engine.Stream(ctx, out, d.args...)
		}})
	}
	return parts
}
