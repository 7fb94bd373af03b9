package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Engine is a working container engine. It is safe for concurrent use.
type Engine struct {
	// Name is docker, podman or nerdctl: the command, and kind's provider of that name.
	Name string
	// Host describes the host of the engine. It is nil if this process has not probed the engine.
	Host *Host
	// ContainersConf is the file for podman's CONTAINERS_CONF, or "".
	ContainersConf string
}

// Host describes what a privileged container finds on the host of the engine, which may be a
// virtual machine. The probe prints it (sandbox/source/node/init/host.go).
type Host struct {
	Architecture string `json:"architecture"`
	Kernel       string `json:"kernel"`
	CgroupV2     bool   `json:"cgroupV2"`
	SysResource  bool   `json:"sysResource"`
	NoFile       uint64 `json:"noFile"`
	Mount        bool   `json:"mount"`
	Memory       uint64 `json:"memory"`
	// Controllers are the cgroup v2 controllers of the container; nil on cgroup v1.
	Controllers []string `json:"controllers"`
	// Rootless is true if root in the container is another user outside.
	Rootless bool `json:"rootless"`
	// PIDs is the limit of processes and threads in a container; 0 if there is none.
	PIDs uint64 `json:"pids"`
	// InotifyInstances and InotifyWatches are the limits for one user.
	InotifyInstances uint64 `json:"inotifyInstances"`
	InotifyWatches   uint64 `json:"inotifyWatches"`
	// Free is the free space in the storage of the engine, in bytes.
	Free uint64 `json:"free"`
}

const (
	// Timeout is the limit for a call of the engine that only inspects or deletes something.
	Timeout = 30 * time.Second
	// LoadTimeout is the limit for a call that loads an image; a node image has about 600 MB.
	LoadTimeout = 5 * time.Minute
)

// Run calls the engine and returns its stdout. The error contains the last line of stderr.
func (e *Engine) Run(ctx context.Context, timeout time.Duration, stdin io.Reader, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := e.command(ctx, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	err := cmd.Run()
	if err == nil {
		return stdout.String(), nil
	}
	if ctx.Err() == context.DeadlineExceeded {
		err = fmt.Errorf("no answer within %s", timeout)
	}
	return stdout.String(), fmt.Errorf("running %s %s: %w: %s", e.Name, args[0], err, LastLine(stderr.String()+stdout.String()))
}

// LastLine returns the last line of text that is not empty.
func LastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// Stream calls the engine and copies its stdout to out. For the command logs it also copies stderr,
// which is part of the log of a container. The error contains the last line of stderr.
func (e *Engine) Stream(ctx context.Context, out io.Writer, args ...string) error {
	cmd := e.command(ctx, args...)
	last := &tailBuffer{}
	shared := &lockedWriter{out: out}
	cmd.Stdout = shared
	cmd.Stderr = last
	if args[0] == "logs" {
		cmd.Stderr = io.MultiWriter(shared, last)
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running %s %s: %w: %s", e.Name, args[0], err, LastLine(last.String()))
	}
	return nil
}

func (e *Engine) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, e.Name, args...)
	if e.ContainersConf != "" {
		cmd.Env = append(cmd.Environ(), "CONTAINERS_CONF="+e.ContainersConf)
	}
	cmd.WaitDelay = 2 * time.Second // A child of the engine, for example conmon, may keep the pipes open.
	return cmd
}

type lockedWriter struct {
	mu  sync.Mutex
	out io.Writer
}

func (w *lockedWriter) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(data)
}

// tailBuffer keeps the end of its input.
type tailBuffer struct{ bytes.Buffer }

// Write keeps at least the last 4 KiB.
func (w *tailBuffer) Write(data []byte) (int, error) {
	const most = 4 << 10
	if w.Len() > most {
		w.Next(w.Len() - most)
	}
	return w.Buffer.Write(data)
}

// probe starts a privileged container and reads the Host that it prints. The container has the same
// options as a node of kind, so that an unsuitable engine fails here within a second.
func (e *Engine) probe(ctx context.Context, image string, write Archiver) error {
	if _, err := e.EnsureImage(ctx, image, write); err != nil {
		return err
	}
	out, err := e.Run(ctx, Timeout, nil, "run", "--rm", "--privileged", "--network=none", "--cgroupns=private",
		"--label="+probeLabel, "--tmpfs=/tmp", image)
	if err != nil {
		return err
	}
	var host Host
	if err := json.Unmarshal([]byte(out), &host); err != nil {
		return fmt.Errorf("reading the output of the probe (%q): %w", LastLine(out), err)
	}
	if !host.Mount {
		return errors.New("a container started with --privileged may not mount file systems: the engine grants no privileges")
	}
	e.Host = &host
	return nil
}

// probeLabel marks probe containers, to distinguish a leftover one from the containers of the user.
const probeLabel = "operator-tracing.sandbox=probe"
