package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
)

// maxLog bounds the log of a container that is kept, counted from its end.
const maxLog = 4 << 20

// keepArtifacts writes what is needed to understand a failure: the traces as OTLP
// JSON and as trees, their differences, the objects, events, and logs. What can't
// be kept is only logged: the failure is what matters.
func (s *Scene) keepArtifacts(ctx context.Context) {
	folder := filepath.Join(s.artifacts, fileName(s.t.Name()))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		s.t.Logf("making the folder of the artifacts: %v", err)
		return
	}
	write := func(name string, data []byte, err error) {
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, fileName(name)), data, 0o644)
		}
		if err != nil {
			s.t.Logf("keeping %s: %v", name, err)
		}
	}
	s.keepTraces(ctx, write)
	s.keepObjects(ctx, write)
	s.keepLogs(ctx, write)
	s.t.Logf("artifacts are in %s; Jaeger is at %s", folder, s.Status.Jaeger.UI)
}

type writeFunc func(name string, data []byte, err error)

// keepTraces writes every trace that was looked at, as it is now if it can still
// be read.
func (s *Scene) keepTraces(ctx context.Context, write writeFunc) {
	for id, kept := range s.traces {
		trace := kept.trace
		if now, err := s.Jaeger.GetTrace(ctx, id); err == nil {
			trace = now
		}
		data, err := trace.JSON()
		write("trace-"+id+".json", data, err)
		write("trace-"+id+".tree", []byte(trace.Forest().String()), nil)
		if kept.result != nil {
			write("trace-"+id+".diff", []byte(kept.result.Explain()), nil)
		}
	}
}

func (s *Scene) keepObjects(ctx context.Context, write writeFunc) {
	for name, list := range map[string]client.ObjectList{
		"heads": &v1alpha1.HeadList{}, "childas": &v1alpha1.ChildAList{}, "deployments": &appsv1.DeploymentList{},
		"replicasets": &appsv1.ReplicaSetList{}, "pods": &corev1.PodList{}, "events": &corev1.EventList{},
	} {
		err := s.Client.List(ctx, list, client.InNamespace(s.Namespace))
		var data []byte
		if err == nil {
			data, err = yaml.Marshal(list)
		}
		write(name+".yaml", data, err)
	}
}

// keepLogs writes the logs of the operator, of Jaeger and of the scene's pods, and
// those of a container's last end where there was one.
func (s *Scene) keepLogs(ctx context.Context, write writeFunc) {
	for _, namespace := range []string{OperatorNamespace, JaegerNamespace, s.Namespace} {
		pods := &corev1.PodList{}
		if err := s.Client.List(ctx, pods, client.InNamespace(namespace)); err != nil {
			s.t.Logf("keeping the logs of namespace %s: %v", namespace, err)
			continue
		}
		for _, pod := range pods.Items {
			for _, status := range pod.Status.ContainerStatuses {
				name := fmt.Sprintf("log-%s-%s-%s", namespace, pod.Name, status.Name)
				data, err := s.podLog(ctx, &pod, status.Name, false)
				write(name+".txt", data, err)
				if status.RestartCount > 0 {
					data, err := s.podLog(ctx, &pod, status.Name, true)
					write(name+".previous.txt", data, err)
				}
			}
		}
	}
}

func (c *Cluster) podLog(ctx context.Context, pod *corev1.Pod, container string, previous bool) ([]byte, error) {
	options := &corev1.PodLogOptions{Container: container, Previous: previous, Timestamps: true, LimitBytes: ptr.To[int64](maxLog), TailLines: ptr.To[int64](20_000)}
	stream, err := c.clientset.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, options).Stream(ctx)
	if apierrors.IsNotFound(err) || apierrors.IsBadRequest(err) {
		return []byte("no log: " + err.Error() + "\n"), nil // not started, or gone
	}
	if err != nil {
		return nil, fmt.Errorf("reading the log of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	data, err := io.ReadAll(stream)
	return data, errors.Join(err, stream.Close())
}

// exportFailure is in each of the operator's log lines about lost spans.
const exportFailure = "Exporting traces failed"

// exporterErrors gives the operator's log lines about exporting. Spans that were
// lost on the way are lost there.
func (c *Cluster) exporterErrors(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callLimit)
	defer cancel()
	found, err := c.ExportFailures(ctx)
	switch {
	case err != nil:
		return "the operator's log can't be read: " + err.Error()
	case len(found) == 0:
		return "the operator's log has no line about failed exports"
	}
	return "the operator's log about failed exports:\n" + strings.Join(found[max(0, len(found)-10):], "\n")
}

// ExportFailures gives the lines of the operator's log about spans that could not
// be sent, each with the time at which it was written, the oldest first.
func (c *Cluster) ExportFailures(ctx context.Context) ([]string, error) {
	d, err := c.operator(ctx)
	if err != nil {
		return nil, err
	}
	pods, err := c.podsOf(ctx, d)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, pod := range pods {
		data, err := c.podLog(ctx, &pod, managerContainer, false)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(data)) {
			if strings.Contains(line, exportFailure) {
				found = append(found, strings.TrimSpace(line))
			}
		}
	}
	return found, nil
}

var unsafeInName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// fileName makes a file's name of any text.
func fileName(text string) string { return unsafeInName.ReplaceAllString(text, "_") }
