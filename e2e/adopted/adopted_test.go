package adopted

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/e2e/faults/rig"
	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/observe"
)

// Limits of the commands.
const (
	upLimit   = 5 * time.Minute
	loadLimit = 2 * time.Minute
	downLimit = 2 * time.Minute
)

// sandbox is one sandbox of a test, removed at its end.
func sandbox(t *testing.T) *rig.Sandbox {
	s := &rig.Sandbox{T: t, Name: "operator-tracing-adopted", Dir: filepath.Join(t.TempDir(), "state")}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		if out, err := s.Run(context.Background(), downLimit, "down"); err != nil { //nolint:usetesting // See above.
			t.Errorf("removing the sandbox: %v\n%s", err, out)
		}
	})
	return s
}

// must runs a command that must not fail.
func must(s *rig.Sandbox, limit time.Duration, args ...string) string {
	s.T.Helper()
	start := time.Now()
	out, err := s.Run(s.T.Context(), limit, args...)
	if err != nil {
		s.T.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	s.T.Logf("%s took %s", strings.Join(args, " "), time.Since(start).Round(100*time.Millisecond))
	return out
}

// TestOperatorWithoutWebhook: the sandbox writes a context onto the Cache when it applies it, and the operator continues it. Afterwards
// the operator is changed, and the new one is what makes the next trace.
func TestOperatorWithoutWebhook(t *testing.T) {
	p := adopt(t, "adopter.patch")
	s := sandbox(t)
	out := must(s, upLimit, "init", p.folder)
	if !strings.Contains(out, p.file()) || !strings.Contains(out, "WithServiceName in main.go") {
		t.Errorf("init says:\n%s", out)
	}
	must(s, upLimit, "up", "--file="+p.file())
	s.WantUp()
	wantTree(s, filepath.Join(testdata, "adopter.tree"))
	if annotations := read(s).GetAnnotations(); annotations[tracetree.TraceparentAnnotation] == "" {
		t.Errorf("the sandbox wrote no context: annotations %v", annotations)
	}

	p.replace("internal/controller/cache_controller.go", "all servers run", "every server runs")
	out = must(s, loadLimit, "load", "operator", "--sample")
	t.Logf("load operator says:\n%s", out)
	if got := ready(t, read(s)).Message; got != "every server runs" {
		t.Errorf("after the change the Cache says %q", got)
	}
	// That its first reconcile still finds the old Deployment in its cache is the operator's own affair, and may be in the tree.
	if !strings.Contains(out, "create Deployment sample") || !strings.Contains(out, "update_status Cache sample") {
		t.Errorf("the trace of the new sample is not shown, or not of a new one:\n%s", out)
	}
	s.WantUp()

	// The same once more changes nothing, and no other operator takes this one's place.
	before := read(s).GetResourceVersion()
	must(s, upLimit, "up")
	if after := read(s).GetResourceVersion(); after != before {
		t.Errorf("up once more changed the sample: %s became %s", before, after)
	}
	s.WantRefusal(nil, []string{"up", "--file=../../config/sandbox.yaml"}, "runs the operator of "+p.file(), "take it down first")
}

// TestOperatorWithWebhook: as kubebuilder has it, with a certificate of cert-manager's, mounted where controller-runtime looks for it,
// and the default port.
func TestOperatorWithWebhook(t *testing.T) {
	p := adopt(t, "adopter.patch", "webhook.patch")
	s := sandbox(t)
	must(s, upLimit, "init", p.folder)
	p.addWebhook()
	must(s, upLimit, "up", "--file="+p.file())
	s.WantUp()
	wantTree(s, "testdata/admitted.tree")
	if annotations := read(s).GetAnnotations(); annotations[tracetree.TraceparentAnnotation] == "" {
		t.Errorf("the webhook wrote no context: annotations %v", annotations)
	}
}

// wantTree compares the trace of the sample, called in several ways, with a tree of the operator's own spans.
func wantTree(s *rig.Sandbox, golden string) {
	s.T.Helper()
	text, err := os.ReadFile(golden)
	if err != nil {
		s.T.Fatal(err)
	}
	tree, err := spantree.Parse(golden, strings.NewReplacer("$NAMESPACE", "default", "$NAME", "sample").Replace(rig.Applied("Cache", string(text))))
	if err != nil {
		s.T.Fatal(err)
	}
	for _, name := range []string{"sample", "cache/sample", "caches.cache.example.com/sample"} {
		out := must(s, rig.AskLimit, "trace", name, "--namespace=default", "--output=json")
		traces, err := tracetree.ReadOTLP(name, []byte(out))
		traces = tracetree.Join(traces) // The webhook links to the trace of the apply.
		if err != nil || len(traces) != 1 {
			s.T.Fatalf("trace %s: %d traces, %v\n%s", name, len(traces), err, one(out))
		}
		if result := spantree.Match(tree, traces[0].Without(observe.Scope).Forest()); !result.OK() {
			s.T.Errorf("trace %s: %s", name, result.Explain())
		}
	}
}

// read reads the sample from the cluster.
func read(s *rig.Sandbox) *unstructured.Unstructured {
	s.T.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", s.WantUp().Kubeconfig)
	if err != nil {
		s.T.Fatal(err)
	}
	c, err := client.New(config, client.Options{})
	if err != nil {
		s.T.Fatal(err)
	}
	cache := &unstructured.Unstructured{}
	cache.SetAPIVersion("cache.example.com/v1alpha1")
	cache.SetKind("Cache")
	if err := c.Get(s.T.Context(), client.ObjectKey{Namespace: "default", Name: "sample"}, cache); err != nil {
		s.T.Fatal(err)
	}
	return cache
}

// ready is a Cache's condition.
func ready(t *testing.T, cache *unstructured.Unstructured) metav1.Condition {
	t.Helper()
	var status struct {
		Status struct {
			Conditions []metav1.Condition `json:"conditions"`
		} `json:"status"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(cache.Object, &status); err != nil {
		t.Fatal(err)
	}
	found := meta.FindStatusCondition(status.Status.Conditions, "Ready")
	if found == nil {
		t.Fatalf("the Cache has no condition Ready: %v", cache.Object["status"])
	}
	return *found
}
