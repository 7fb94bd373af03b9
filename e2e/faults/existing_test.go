package faults

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/operator-tracing/sandbox/e2e/faults/rig"
	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/observe"
	"github.com/operator-tracing/sandbox/sandbox/project"
)

const theirContext = "--context=kind-" + theirs

// TestExistingCluster uses an existing cluster. up asks first, adds the missing objects, keeps the
// objects of others, and changes nothing the second time. down restores the cluster.
func TestExistingCluster(t *testing.T) {
	e := newExisting(t)
	before := e.objects()
	users, err := os.ReadFile(e.kubeconfig)
	e.must(err)

	e.WantExit(2, nil, []string{"up"}, "--context")
	e.WantExit(2, nil, []string{"up", "--context=kind-" + theirs + "s"}, "no such context", "did you mean", "kind-"+theirs)
	e.WantExit(2, nil, []string{"up", theirContext}, "confirmation required", "--yes")
	if added, lost := difference(before, e.objects()); len(added)+len(lost) > 0 {
		t.Errorf("up without confirmation added %v and removed %v", added, lost)
	}

	out := e.run("up", theirContext, "--yes", "--operator-replicas=2")
	for _, word := range []string{"cert-manager", "heads.dummy.example.com", "namespace jaeger", "mutating webhook configuration", "Head default/head-sample"} {
		if !strings.Contains(out, word) {
			t.Errorf("up does not print that it adds %q:\n%s", word, out)
		}
	}
	status := e.WantUp()
	if status.Cluster != "existing" || status.Context != "kind-"+theirs || status.Jaeger != nil {
		t.Errorf("status %+v", status)
	}
	e.wantCopy(users)
	e.wantTree(true)
	e.wantReplicas(2)

	images := e.imagesOf()

	t.Run("again", func(t *testing.T) { e.with(t).again() })
	t.Run("others' objects", func(t *testing.T) { e.with(t).keepOthers() })
	e.wantObjects(before)
	if exists(e.Dir) {
		t.Errorf("the folder %s still exists", e.Dir)
	}

	e.installTheirs(images)
	t.Run("beside theirs", func(t *testing.T) { e.with(t).besideTheirs() })
	t.Run("remote storage", func(t *testing.T) { e.with(t).remoteStorage() })
}

// wantCopy tests that only the owner can read the sandbox's kubeconfig, and that the user's is
// unchanged.
func (e *existing) wantCopy(users []byte) {
	e.T.Helper()
	now, err := os.ReadFile(e.kubeconfig)
	e.must(err)
	if string(now) != string(users) {
		e.T.Error("the user's kubeconfig was changed")
	}
	info, err := os.Stat(filepath.Join(e.Dir, "kubeconfig"))
	e.must(err)
	if mode := info.Mode().Perm(); mode != 0o600 {
		e.T.Errorf("the copy of the kubeconfig has the mode %o", mode)
	}
}

// wantTree compares the sample's trace with the tree of a new Head. It starts with the sandbox's
// apply, unless the spans go to a Jaeger of the user.
func (e *existing) wantTree(applied bool) {
	e.T.Helper()
	const golden = "../testdata/create.tree"
	text, err := os.ReadFile(golden)
	e.must(err)
	if applied {
		text = []byte(rig.Applied("Head", string(text)))
	}
	tree, err := spantree.Parse(golden, strings.NewReplacer("$HEAD", "head-sample", "$NAMESPACE", "default").Replace(string(text)))
	e.must(err)
	out := e.run("trace", "head-sample", "--output=json")
	traces, err := tracetree.ReadOTLP("trace", []byte(out))
	traces = tracetree.Join(traces) // The webhook links to the trace of the apply.
	if err != nil || len(traces) != 1 {
		e.T.Fatalf("reading what trace printed: %d traces, %v", len(traces), err)
	}
	if result := spantree.Match(tree, traces[0].Without(observe.Scope).Forest()); !result.OK() {
		e.T.Errorf("the sample's trace: %s", result.Explain())
	}
}

func (e *existing) wantReplicas(wanted int32) {
	e.T.Helper()
	manager := &appsv1.Deployment{}
	e.must(e.client.Get(e.T.Context(), types.NamespacedName{Namespace: "operator-tracing-system", Name: "operator-tracing-manager"}, manager))
	if manager.Status.ReadyReplicas != wanted {
		e.T.Errorf("%d Pods of the operator are ready, want %d", manager.Status.ReadyReplicas, wanted)
	}
}

// again tests that the second up needs no options, asks nothing and writes nothing.
func (e *existing) again() {
	before := e.own()
	if len(before) < 50 {
		e.T.Fatalf("only %d objects are the sandbox's", len(before))
	}
	out := e.run("up")
	if strings.Contains(out, "will be added") || !strings.Contains(out, "admit Head") {
		e.T.Errorf("output of the second up:\n%s", out)
	}
	if diff := cmp.Diff(before, e.own()); diff != "" {
		e.T.Errorf("the second up wrote (-before +after):\n%s", diff)
	}
	e.wantReplicas(2)
	e.WantExit(2, nil, []string{"stop", "jaeger"}, "kubectl scale")
	if out := e.run("logs", "operator", "--tail=1"); strings.TrimSpace(out) == "" {
		e.T.Error("the operator has no log")
	}
	e.WantNoSecrets(e.WantExport(map[string]string{"status.json": `"existing"`, "traces/sample.json": "resourceSpans", "objects/heads.dummy.example.com.yaml": "head-sample"}))
}

// own returns the versions of the sandbox's objects.
func (e *existing) own() map[string]string {
	e.T.Helper()
	subject, err := project.DefaultSubject()
	e.must(err)
	cluster, err := apply.NewCluster(e.config, subject)
	e.must(err)
	cluster.Share(name)
	inventory, err := apply.Inventory(e.T.Context(), cluster)
	e.must(err)
	versions := map[string]string{}
	for _, obj := range inventory {
		live := &unstructured.Unstructured{}
		live.SetGroupVersionKind(obj.GroupVersionKind())
		e.must(e.client.Get(e.T.Context(), types.NamespacedName{Namespace: obj.GetNamespace(), Name: obj.GetName()}, live))
		versions[obj.GetKind()+" "+obj.GetNamespace()+"/"+obj.GetName()] = live.GetResourceVersion()
	}
	return versions
}

// keepOthers tests that down prints which objects of others it would delete, and keeps a namespace
// with such objects.
func (e *existing) keepOthers() {
	ctx := e.T.Context()
	note := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "jaeger", Name: "theirs"}}
	e.must(e.client.Create(ctx, note))
	head := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"child_a": "registry.k8s.io/pause:3.10.2"}}}
	head.SetAPIVersion("dummy.example.com/v1alpha1")
	head.SetKind("Head")
	head.SetNamespace("default")
	head.SetName("theirs")
	e.must(e.client.Create(ctx, head))

	e.WantExit(2, nil, []string{"down"}, "confirmation required", "--yes")
	e.WantUp()
	out := e.run("down", "--yes")
	for _, word := range []string{"Head default/theirs", "namespace jaeger, which holds ConfigMap jaeger/theirs"} {
		if !strings.Contains(out, word) {
			e.T.Errorf("down without %q:\n%s", word, out)
		}
	}
	e.must(e.client.Get(ctx, types.NamespacedName{Namespace: "jaeger", Name: "theirs"}, note))
	e.must(e.client.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "jaeger"}}))
}
