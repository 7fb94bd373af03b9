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

// update has the tests write the expected trees rather than wait for them.
var update = flag.Bool("update", false, "rewrite the expected trees in e2e/testdata from the traces that come; features run one at a time")

// traceLimit is for those who wait for a trace that may not come.
var traceLimit = flag.Duration("trace-limit", ReadyLimit, "how long a test waits for a trace to be complete")

// Golden reads an expected tree from the folder testdata and fills in its
// values, which it names with a dollar sign. A name without a value is an error.
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

// headValues are the variables of the expected trees of a Head.
func headValues(head *v1alpha1.Head) map[string]string {
	return map[string]string{"NAMESPACE": head.Namespace, "HEAD": head.Name}
}

// record brings an expected tree up to what a trace has become once it is quiet and the
// object is where it must come to. A file that the trace matches stays as it is.
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
