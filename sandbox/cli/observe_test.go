package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// kubeconfigOf writes a kubeconfig with the contexts admin and reader.
func kubeconfigOf(t *testing.T, config *rest.Config) string {
	t.Helper()
	user := func(impersonate string) *clientcmdapi.AuthInfo {
		return &clientcmdapi.AuthInfo{ClientCertificateData: config.CertData, ClientKeyData: config.KeyData, Impersonate: impersonate}
	}
	file := clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: config.Host, CertificateAuthorityData: config.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"admin": user(""), "reader": user("reader")},
		Contexts:       map[string]*clientcmdapi.Context{"admin": {Cluster: "c", AuthInfo: "admin"}, "reader": {Cluster: "c", AuthInfo: "reader"}},
		CurrentContext: "admin",
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(file, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// There are no controllers: a ConfigMap is ready at once, and a Deployment never.
func TestObserve(t *testing.T) {
	config := applytest.Start(t)
	kubeconfig := kubeconfigOf(t, config)
	manifest := func(text string) string {
		path := filepath.Join(t.TempDir(), "manifest.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return "--apply=" + path
	}
	observe := func(args ...string) result {
		return execute(t, append([]string{"observe", "--kubeconfig=" + kubeconfig, "--timeout=30s"}, args...)...)
	}
	settings := func(value string) string {
		return manifest("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {a: " + value + "}}")
	}

	tree := observe(settings("tree"))
	if tree.code != exitOK || !strings.HasPrefix(tree.stdout, "trace ") || !strings.Contains(tree.stdout, "create ConfigMap") && !strings.Contains(tree.stdout, "apply ConfigMap") {
		t.Errorf("a tree: %+v", tree)
	}
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "others", Namespace: "default"}, Data: map[string]string{"a": "b"}}, client.FieldOwner("kubectl-create")); err != nil {
		t.Fatal(err)
	}
	others := manifest("{apiVersion: v1, kind: ConfigMap, metadata: {name: others}, data: {a: b}}")
	if owned := observe(others); owned.code != exitOK || owned.stdout != "" || !strings.HasPrefix(owned.stderr, "The apply changed nothing, and ConfigMap default/others is ready") {
		t.Errorf("a manifest of an object that another client created: %+v", owned)
	}
	for _, again := range []result{observe(settings("tree")), observe("cm/settings", settings("tree"))} {
		if again.code != exitOK || again.stdout != "" || again.stderr != "The apply changed nothing, and ConfigMap default/settings is ready: there is no trace of a change.\n" {
			t.Errorf("a manifest that changes nothing: %+v", again)
		}
	}
	document := observe("cm/settings", settings("json"), "-o", "json")
	found, err := tracetree.ReadOTLP("stdout", []byte(document.stdout))
	if document.code != exitOK || !json.Valid([]byte(document.stdout)) || err != nil || len(found) != 1 {
		t.Errorf("-o json: %+v, %d traces, %v", document, len(found), err)
	}
	if page := observe(settings("html"), "-o", "html"); page.code != exitOK || !strings.HasPrefix(page.stdout, "<!DOCTYPE html>") {
		t.Errorf("-o html: %+v", page)
	}
	const template = "selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: a}]}}"
	late := observe("deploy/web", manifest("{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {"+template+"}}"), "--timeout=10s")
	if late.code != exitFailure || !strings.Contains(late.stdout, " Deployment") || !strings.Contains(late.stderr, "Error: observing Deployment default/web: stopped after 10s (--timeout): not ready: ") {
		t.Errorf("a Deployment without a controller: %+v", late)
	}
	again := observe("deploy/web", manifest("{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {"+template+"}}"), "--timeout=4s")
	if again.code != exitFailure || again.stdout != "" ||
		!strings.Contains(again.stderr, "Error: observing Deployment default/web: stopped after 4s (--timeout): the apply changed nothing, and the object is not ready: ") {
		t.Errorf("a Deployment that is not ready, and a manifest that changes nothing: %+v", again)
	}
	if idle := observe("cm/none", "--timeout=5s"); idle.code != exitFailure || idle.stdout != "" || !strings.Contains(idle.stderr, "waiting for a change of ConfigMap default/none, which does not exist yet, for at most 5s (Ctrl-C ends it)\nwaiting: no change of ConfigMap default/none yet (--timeout=5s)\n") ||
		!strings.HasSuffix(idle.stderr, "Error: observing ConfigMap default/none: stopped after 5s (--timeout): nothing changed it; change it meanwhile, or pass its manifest with --apply\n") {
		t.Errorf("without a change: %+v", idle)
	}
	for want, args := range map[string][]string{
		`no kind is called "deploymnt" (did you mean deployment?)`: {"deploymnt/web"},
		"objects of the kind Node can't be observed":               {"node/a"},
	} {
		if got := observe(args...); got.code != exitUsage || got.stdout != "" || !strings.Contains(got.stderr, want) {
			t.Errorf("%q: %+v, want %q", args, got, want)
		}
	}
	if got := observe("deployment/web", "--context=admn"); got.code != exitUsage || !strings.Contains(got.stderr, "did you mean admin?") {
		t.Errorf("an unknown context: %+v", got)
	}
	testObserveForbidden(t, config, observe, settings)
}

func testObserveForbidden(t *testing.T, config *rest.Config, observe func(...string) result, settings func(string) string) {
	t.Helper()
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, obj := range []client.Object{
		&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "reader", Namespace: "default"}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"*"}}}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "reader", Namespace: "default"}, RoleRef: rbacv1.RoleRef{Kind: "Role", Name: "reader"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "reader"}}},
	} {
		if err := c.Create(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
	}
	got := observe("--context=reader", settings("reader"))
	if got.code != exitOK || !strings.Contains(got.stderr, "not observed, for lack of permissions: events\n") || !strings.Contains(got.stderr, "not searched for dependents, for lack of permissions: ") {
		t.Errorf("a user that may read ConfigMaps: %+v", got)
	}
	if got := observe("--context=reader", "secret/a"); got.code != exitFailure || !strings.Contains(got.stderr, "Error: no permission to list and watch secrets in namespace default; use another namespace (-n) or credentials that may\n") {
		t.Errorf("a kind that may not be read: %+v", got)
	}
	if got := observe("--context=reader", "cm/a", "-A"); got.code != exitFailure || !strings.Contains(got.stderr, "no permission to list and watch configmaps in all namespaces; name one with -n NAMESPACE") {
		t.Errorf("all namespaces: %+v", got)
	}
}
