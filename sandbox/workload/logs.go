package workload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/operator-tracing/sandbox/sandbox/apply"
)

// LogOptions choose a part of the logs of Pods.
type LogOptions struct {
	// Lines is the number of lines of each container to start with, counted from the end. A
	// negative number means all lines.
	Lines int
	// Since leaves out older lines; 0 means all lines.
	Since time.Duration
	// Follow waits for new lines, also of new Pods, until the context ends.
	Follow bool
	// Previous reads the log of the previous run of each container.
	Previous bool
}

// followInterval is the pause between two searches for new containers.
const followInterval = 500 * time.Millisecond

// ErrNoLog reports that nothing can be read: no Pod, no previous run, or a container that has not
// started yet.
var ErrNoLog = errors.New("there is no log")

// Logs copies the logs of the containers of a component or a program to out; see [Pods]. Without
// Follow, the error is [ErrNoLog] if there is nothing to read. With Follow, Logs writes whole
// lines, waits for containers, and returns nil when ctx ends.
func Logs(ctx context.Context, c *apply.Cluster, out io.Writer, name string, o LogOptions) error {
	if o.Follow {
		return follow(ctx, c, out, name, o)
	}
	pods, err := Pods(ctx, c, name)
	if err != nil {
		return err
	}
	if len(pods) == 0 {
		return fmt.Errorf("reading the logs of %s: %w: it has no Pods", name, ErrNoLog)
	}
	for i := range pods {
		for _, container := range pods[i].Spec.Containers {
			if err := copyLog(ctx, c, out, &pods[i], container.Name, o); err != nil {
				return err
			}
		}
	}
	return nil
}

func copyLog(ctx context.Context, c *apply.Cluster, out io.Writer, pod *corev1.Pod, container string, o LogOptions) error {
	options := &corev1.PodLogOptions{Container: container, Follow: o.Follow, Previous: o.Previous}
	if o.Lines >= 0 {
		options.TailLines = new(int64(o.Lines))
	}
	if o.Since > 0 {
		options.SinceSeconds = new(max(1, int64(o.Since.Seconds())))
	}
	stream, err := c.Clientset().CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, options).Stream(ctx)
	if apierrors.IsBadRequest(err) {
		return fmt.Errorf("%w: %w", ErrNoLog, err) // The API server names the container and the reason.
	}
	if err == nil {
		_, err = io.Copy(out, stream)
		err = errors.Join(err, stream.Close())
	}
	if err != nil {
		return fmt.Errorf("reading the log of %s in Pod %s/%s: %w", container, pod.Namespace, pod.Name, err)
	}
	return nil
}

// follow copies the logs of running containers, and of each container that starts later. It ignores
// failures that can pass, because users want to see the lines after a restart.
func follow(ctx context.Context, c *apply.Cluster, out io.Writer, name string, o LogOptions) error {
	var mu sync.Mutex
	seen := map[string]bool{} // by container ID
	var group errgroup.Group
	ticks := time.NewTicker(followInterval)
	defer ticks.Stop()
	for first := true; ; first = false {
		pods, err := Pods(ctx, c, name)
		if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
			return err
		}
		for i := range pods {
			for _, status := range pods[i].Status.ContainerStatuses {
				if status.State.Running == nil || seen[status.ContainerID] {
					continue
				}
				seen[status.ContainerID] = true
				part := o
				if !first {
					part.Lines, part.Since = -1, 0 // Copy all lines of a new container.
				}
				group.Go(func() error {
					lines := &LineWriter{Mutex: &mu, Out: out}
					_ = copyLog(ctx, c, lines, &pods[i], status.Name, part) // It ends with its container.
					return lines.Flush()
				})
			}
		}
		select {
		case <-ctx.Done():
			return group.Wait()
		case <-ticks.C:
		}
	}
}

// LineWriter writes whole lines, each after a prefix, to a writer that several LineWriters share.
type LineWriter struct {
	Mutex  *sync.Mutex // of Out
	Out    io.Writer
	Prefix string
	rest   []byte // of an incomplete line
}

// Write writes the lines that are complete. It returns the error of Out.
func (w *LineWriter) Write(data []byte) (int, error) {
	w.Mutex.Lock()
	defer w.Mutex.Unlock()
	w.rest = append(w.rest, data...)
	for {
		line, rest, found := bytes.Cut(w.rest, []byte("\n"))
		if !found {
			return len(data), nil
		}
		if _, err := fmt.Fprintf(w.Out, "%s%s\n", w.Prefix, line); err != nil {
			return 0, err
		}
		w.rest = rest
	}
}

// Flush writes an incomplete last line.
func (w *LineWriter) Flush() error {
	if len(w.rest) == 0 {
		return nil
	}
	_, err := w.Write([]byte("\n"))
	return err
}
