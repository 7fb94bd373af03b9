package install

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
)

// LogOptions choose a part of the logs of Pods.
type LogOptions struct {
	// Lines is how many of the last lines of each container to begin with; a negative number is all.
	Lines int
	// Since leaves out what is older than that; 0 leaves out nothing.
	Since time.Duration
	// Follow goes on with what is written from now on, by new Pods too, until the context ends.
	Follow bool
	// Previous is the log of each container's run before the present one.
	Previous bool
}

// followEvery is how often a follower looks for new containers.
const followEvery = 500 * time.Millisecond

// ErrNoLog says that there is nothing to read: no Pod, no earlier run, or a container that was not started yet.
var ErrNoLog = errors.New("there is no log")

// Logs copies the logs of the containers of one of [PodNames] to out, whole lines at a time. Without Follow the error is
// ErrNoLog where there is nothing to read; with it, Logs waits, and returns nil when ctx ends.
func Logs(ctx context.Context, c *Cluster, out io.Writer, name string, o LogOptions) error {
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
			if err := c.copyLog(ctx, out, &pods[i], container.Name, o); err != nil {
				return err
			}
		}
	}
	return nil
}

// copyLog copies one container's log.
func (c *Cluster) copyLog(ctx context.Context, out io.Writer, pod *corev1.Pod, container string, o LogOptions) error {
	options := &corev1.PodLogOptions{Container: container, Follow: o.Follow, Previous: o.Previous}
	if o.Lines >= 0 {
		lines := int64(o.Lines)
		options.TailLines = &lines
	}
	if o.Since > 0 {
		seconds := max(1, int64(o.Since.Seconds()))
		options.SinceSeconds = &seconds
	}
	stream, err := c.clientset.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, options).Stream(ctx)
	if apierrors.IsBadRequest(err) {
		return fmt.Errorf("%w: %w", ErrNoLog, err) // The API server says of what, and why.
	}
	if err != nil {
		return fmt.Errorf("reading the log of %s in Pod %s/%s: %w", container, pod.Namespace, pod.Name, err)
	}
	_, err = io.Copy(out, stream)
	if err := errors.Join(err, stream.Close()); err != nil {
		return fmt.Errorf("reading the log of %s in Pod %s/%s: %w", container, pod.Namespace, pod.Name, err)
	}
	return nil
}

// follow copies the logs of what runs now, and of every container that is started later. What can't be asked at the moment is
// asked again: who follows wants to see what comes after a restart.
func follow(ctx context.Context, c *Cluster, out io.Writer, name string, o LogOptions) error {
	var mu sync.Mutex
	seen := map[string]bool{} // by the container's id
	var group errgroup.Group
	ticks := time.NewTicker(followEvery)
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
					part.Lines, part.Since = -1, 0 // All that the new one writes.
				}
				group.Go(func() error {
					lines := &lineWriter{mu: &mu, out: out}
					_ = c.copyLog(ctx, lines, &pods[i], status.Name, part) // It ends with its container.
					return lines.flush()
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

// lineWriter writes whole lines to a writer that it shares.
type lineWriter struct {
	mu   *sync.Mutex
	out  io.Writer
	rest []byte // of a line that has no end yet
}

func (w *lineWriter) Write(data []byte) (int, error) {
	w.rest = append(w.rest, data...)
	end := bytes.LastIndexByte(w.rest, '\n') + 1
	if end == 0 {
		return len(data), nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := w.out.Write(w.rest[:end]); err != nil {
		return 0, err
	}
	w.rest = append(w.rest[:0], w.rest[end:]...)
	return len(data), nil
}

// flush writes a last line that had no end.
func (w *lineWriter) flush() error {
	if len(w.rest) == 0 {
		return nil
	}
	_, err := w.Write([]byte("\n"))
	return err
}
