package harness

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// update makes the tests write the expected trees instead of comparing with them.
var update = flag.Bool("update", false, "rewrite the expected trees in e2e/testdata from the current traces; features run one at a time")

// traceLimit is for users that wait for a trace that may not arrive.
var traceLimit = flag.Duration("trace-limit", ReadyLimit, "maximum time until a trace is complete")

// Golden reads an expected tree from the folder testdata and replaces its variables, which start
// with a dollar sign. It returns an error for a variable without a value.
func Golden(name string, values map[string]string) (*spantree.Tree, error) {
	file, err := goldenFile(name, values)
	if err != nil {
		return nil, err
	}
	return file.Read()
}

func goldenFile(name string, values map[string]string) (spantree.Golden, error) {
	root, err := repositoryRoot()
	if err != nil {
		return spantree.Golden{}, err
	}
	return spantree.Golden{
		Path:    filepath.Join(root, "e2e", "testdata", name),
		Options: spantree.RecordOptions{Variables: values, Fold: true},
	}, nil
}

// headValues returns the variables of the expected trees of a Head.
func headValues(head *v1alpha1.Head) map[string]string {
	return map[string]string{"NAMESPACE": head.Namespace, "HEAD": head.Name}
}

// record updates an expected tree from a trace when the trace is quiet and the object has the
// expected state. It does not change a file that matches the trace.
func record(ctx context.Context, from tracetree.Reader, traceID, golden string, values map[string]string, conditions tracetree.Conditions) (tracetree.Completion, error) {
	completion, err := tracetree.Complete(ctx, from, traceID, conditions)
	if err != nil {
		return completion, fmt.Errorf("recording %s: %w", golden, err)
	}
	file, err := goldenFile(golden, values)
	if err != nil {
		return completion, err
	}
	if err := file.Update(completion.Trace.Forest()); err != nil {
		return completion, fmt.Errorf("recording trace %s: %w", traceID, err)
	}
	return completion, nil
}
