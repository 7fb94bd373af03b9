package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// maxLines limits the lines of a log that the tests keep or search.
const maxLines = 20_000

// keepArtifacts writes the data that explains a failure: the traces as OTLP JSON and as trees,
// their differences, the objects, events, and logs. It only logs its own errors, so that they do
// not hide the failure.
func (s *Fixture) keepArtifacts(ctx context.Context) {
	folder := filepath.Join(s.artifacts, fileName(s.t.Name()))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		s.t.Logf("creating the folder of the artifacts: %v", err)
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

// Keep writes a file, for example with measurements, to the artifacts. It does so for passed tests,
// too.
func (s *Fixture) Keep(name string, data []byte) error {
	folder := filepath.Join(s.artifacts, fileName(s.t.Name()))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("keeping %s: %w", name, err)
	}
	if err := os.WriteFile(filepath.Join(folder, fileName(name)), data, 0o644); err != nil {
		return fmt.Errorf("keeping %s: %w", name, err)
	}
	return nil
}

type writeFunc func(name string, data []byte, err error)

// keepTraces writes every trace that the fixture read or its objects name, in its current state if it
// can be read, and the instructions to load them.
func (s *Fixture) keepTraces(ctx context.Context, write writeFunc) {
	write("README.txt", []byte(reload), nil)
	now := func(string) (tracetree.Trace, error) { return tracetree.Trace{}, errors.New("no client of Jaeger") }
	// Use HTTP, because links have no attributes in responses over gRPC.
	if reader, err := jaeger.Dial(s.Status.Jaeger.UI); err != nil {
		s.t.Logf("keeping the traces: %v", err)
	} else {
		defer reader.Close()
		now = func(id string) (tracetree.Trace, error) { return reader.GetTrace(ctx, id) }
	}
	for _, id := range s.named(ctx) {
		if _, looked := s.traces[id]; !looked {
			s.traces[id] = seen{}
		}
	}
	for id, kept := range s.traces {
		trace, err := now(id)
		if err != nil && kept.trace.Len() > 0 {
			trace, err = kept.trace, nil
		}
		if err != nil {
			s.t.Logf("keeping trace %s: %v", id, err)
			continue
		}
		data, err := trace.JSON()
		write("trace-"+id+".json", data, err)
		write("trace-"+id+".tree", []byte(trace.Forest().String()), nil)
		if kept.expected != nil {
			write("trace-"+id+".expected.tree", []byte(kept.expected.String()), nil)
		}
		if kept.result != nil {
			write("trace-"+id+".diff", []byte(kept.result.Explain()), nil)
		}
	}
}

// named returns the ids of the traces that the fixture's objects name.
func (s *Fixture) named(ctx context.Context) []string {
	var ids []string
	for _, list := range []client.ObjectList{&v1alpha1.HeadList{}, &v1alpha1.ChildAList{}, &appsv1.DeploymentList{}} {
		if err := s.Client.List(ctx, list, client.InNamespace(s.Namespace)); err != nil {
			s.t.Logf("looking for traces: %v", err)
			continue
		}
		_ = meta.EachListItem(list, func(item runtime.Object) error {
			if object, ok := item.(client.Object); ok {
				if id, _, err := tracetree.TraceIDOf(object.GetAnnotations()); err == nil {
					ids = append(ids, id)
				}
			}
			return nil
		})
	}
	return ids
}

// reload explains the artifacts to a reader that has nothing else.
const reload = `The traces of a test that failed, trace-ID.json as OTLP JSON. To see them in Jaeger again, with a sandbox that is up:

    go run ./sandbox trace import THIS-FOLDER/trace-*.json

Other files: trace-ID.tree, the trace as text; trace-ID.expected.tree, the expected tree; trace-ID.diff, the difference;
triage-ID.txt, the verdict; the objects and events of the namespace (*.yaml); and logs (log-*.txt). The state of the cluster
and the logs of all components are in the folder kind or embedded, as "sandbox export" writes them.
`

func (s *Fixture) keepObjects(ctx context.Context, write writeFunc) {
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

// keepLogs writes the logs of the operator and of Jaeger. The export of the sandbox has all others.
func (s *Fixture) keepLogs(ctx context.Context, write writeFunc) {
	for _, name := range []string{component.Operator, component.Jaeger} {
		data, err := s.log(ctx, name)
		write("log-"+name+".txt", data, err)
	}
}

// log returns the last lines of a component's log, as `sandbox logs` prints them.
func (c *Cluster) log(ctx context.Context, name string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	if err := c.Sandbox(ctx, &stdout, &stderr, "logs", name, "--tail="+strconv.Itoa(maxLines)); err != nil {
		return nil, fmt.Errorf("reading the log of %s: %w: %s", name, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}

// exportFailure is in each of the operator's log lines about lost spans.
const exportFailure = "Exporting traces failed"

// ExportFailures returns the lines of the operator's log about lost spans, each with its time,
// oldest first.
func (c *Cluster) ExportFailures(ctx context.Context) ([]string, error) {
	log, err := c.log(ctx, component.Operator)
	if err != nil {
		return nil, err
	}
	var found []string
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, exportFailure) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found, nil
}

var unsafeInName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// fileName returns a file name for any text.
func fileName(text string) string { return unsafeInName.ReplaceAllString(text, "_") }
