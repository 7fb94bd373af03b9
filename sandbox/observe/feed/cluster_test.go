package feed_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
)

// cluster is an API server with an audit log of the user observer, which has the documented permissions.
type cluster struct {
	admin    client.Client
	observer *envtest.AuthenticatedUser
	audit    string // a file
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	c := &cluster{audit: filepath.Join(t.TempDir(), "audit.log")}
	const rules = `{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata", "users": ["observer"]}]}`
	if err := os.WriteFile(policy, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	env := &envtest.Environment{}
	env.ControlPlane.GetAPIServer().Configure().Set("audit-policy-file", policy).Set("audit-log-path", c.audit)
	config, err := env.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	if c.observer, err = env.AddUser(envtest.User{Name: "observer"}, nil); err != nil {
		t.Fatal(err)
	}
	if c.admin, err = client.New(config, client.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, obj := range []client.Object{
		documentedRole(t),
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "observer"}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "observer"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "observer"}}},
	} {
		if err := c.admin.Create(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// documentedRole returns the ClusterRole in docs/observing.md.
func documentedRole(t *testing.T) client.Object {
	t.Helper()
	text, err := os.ReadFile("../../../docs/observing.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ = bytes.Cut(text, []byte("```yaml\n"))
	text, _, _ = bytes.Cut(text, []byte("```"))
	return applytest.Object(t, string(text))
}

func (c *cluster) create(t *testing.T, name string) {
	t.Helper()
	if err := c.admin.Create(t.Context(), settings(name), client.FieldOwner("kubectl")); err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) update(t *testing.T, name, value string) {
	t.Helper()
	changed := settings(name)
	changed.Data = map[string]string{"value": value}
	if err := c.admin.Update(t.Context(), changed, client.FieldOwner("kubectl")); err != nil {
		t.Fatal(err)
	}
}

func settings(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"}, Data: map[string]string{"value": ""}}
}

// The parts of this test share an API server, and run one after the other.
func TestFaults(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	for _, service := range []string{"absent", "silent"} {
		if err := c.admin.Create(t.Context(), applytest.Object(t, fmt.Sprintf(`{apiVersion: apiregistration.k8s.io/v1, kind: APIService, metadata: {name: v1.%[1]s.test},
  spec: {group: %[1]s.test, version: v1, groupPriorityMinimum: 100, versionPriority: 10, insecureSkipTLSVerify: true, service: {name: %[1]s, namespace: default}}}`, service))); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.admin.Create(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "silent", Namespace: "default"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 443}}}}); err != nil {
		t.Fatal(err)
	}
	p := startProxy(t, c.observer.Config().Host)
	config := c.observer.Config()
	config.Host = "https://" + p.address
	w := watch(t, config)
	t.Run("kinds that come and go beside aggregated APIs that do not answer", func(t *testing.T) { testKinds(t, c, w) })
	t.Run("a network cut of ten seconds", func(t *testing.T) { testCut(t, c, w, p) })
	t.Run("nothing is written", func(t *testing.T) { testAudit(t, c) })
}

func testKinds(t *testing.T, c *cluster, w *watching) {
	const definition = `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: heads.demo.test}, spec: {group: demo.test, scope: Namespaced,
  names: {kind: Head, plural: heads}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}`
	for _, name := range []string{"first", "second"} {
		if err := c.admin.Create(t.Context(), applytest.Object(t, definition)); err != nil {
			t.Fatal(err)
		}
		head := applytest.Object(t, "{apiVersion: demo.test/v1, kind: Head, metadata: {name: "+name+", namespace: default}, spec: {a: b}}")
		eventually(t, func() error { return c.admin.Create(t.Context(), head.DeepCopy(), client.FieldOwner("kubectl")) })
		w.wait(t, "kubectl create Head/"+name+" because of the user")
		if err := c.admin.Delete(t.Context(), applytest.Object(t, definition)); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() error {
			if err := c.admin.Get(t.Context(), client.ObjectKey{Name: "heads.demo.test"}, applytest.Live(applytest.Object(t, definition))); !apierrors.IsNotFound(err) {
				return fmt.Errorf("the definition exists: %w", err)
			}
			return nil
		})
		w.wait(t, " remove Head/"+name+" because of the user")
	}
}

// The watches resume where they were.
func testCut(t *testing.T, c *cluster, w *watching, p *proxy) {
	c.create(t, "cut")
	w.wait(t, "kubectl create ConfigMap/cut because of the user")
	before := w.marked()
	restored := time.After(10 * time.Second)
	p.cut()
	c.update(t, "cut", "1")
	c.update(t, "cut", "2")
	if err := c.admin.Delete(t.Context(), settings("cut")); err != nil {
		t.Fatal(err)
	}
	c.create(t, "made-while-cut")
	<-restored
	p.restore(t, "")
	w.wait(t, "kubectl create ConfigMap/made-while-cut because of the user")
	w.wait(t, " remove ConfigMap/cut because of the user")
	if updates := w.count("kubectl update ConfigMap/cut because of the user"); updates != 2 || len(w.marked()) != len(before) {
		t.Errorf("%d updates, and lost are %v, want 2 and no more than %v", updates, w.marked(), before)
	}
}

// testAudit checks what the observers of this test asked for.
func testAudit(t *testing.T, c *cluster) {
	file, err := os.Open(c.audit)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // It was only read.
	verbs := map[string]int{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var entry struct{ Verb, RequestURI string }
		if err := json.Unmarshal(lines.Bytes(), &entry); err != nil {
			t.Fatal(err)
		}
		verbs[entry.Verb]++
		if entry.Verb == "watch" && !strings.Contains(entry.RequestURI, "allowWatchBookmarks=true") {
			t.Errorf("a watch without bookmarks: %s", entry.RequestURI)
		}
	}
	t.Logf("requests: %v", verbs)
	if verbs["watch"] < 20 || verbs["get"] == 0 {
		t.Errorf("requests %v, want many watches: the log is incomplete", verbs)
	}
	for verb := range verbs {
		if verb != "get" && verb != "list" && verb != "watch" {
			t.Errorf("the observer sent %d requests %s", verbs[verb], verb)
		}
	}
}

func (w *watching) marked() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.lost)
}

func (w *watching) count(text string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, write := range w.writes {
		if write == text {
			n++
		}
	}
	return n
}

// proxy forwards TCP connections to an API server, and can be cut.
type proxy struct {
	address string
	mu      sync.Mutex
	target  string
	open    []io.Closer
	serving net.Listener // nil while the proxy is cut
}

func startProxy(t *testing.T, host string) *proxy {
	t.Helper()
	p := &proxy{target: strings.TrimPrefix(strings.TrimSuffix(host, "/"), "https://"), address: "127.0.0.1:0"}
	p.restore(t, "")
	t.Cleanup(p.cut)
	return p
}

// cut closes all connections and refuses new ones.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.open {
		_ = c.Close() // Both sides close it.
	}
	p.open, p.serving = nil, nil
}

// restore accepts connections again, to another target if it is not empty.
func (p *proxy) restore(t *testing.T, target string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	if target != "" {
		p.target = target
	}
	p.address = listener.Addr().String()
	p.open, p.serving = append(p.open, listener), listener
	go p.serve(listener)
}

func (p *proxy) serve(listener net.Listener) {
	for {
		from, err := listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		target := p.target
		p.mu.Unlock()
		to, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", target)
		if err != nil {
			_ = from.Close() // The client sees the failure.
			continue
		}
		p.mu.Lock()
		p.open = append(p.open, from, to)
		isCut := p.serving != listener
		p.mu.Unlock()
		if isCut { // Since it was accepted.
			_, _ = from.Close(), to.Close()
			return
		}
		for _, pair := range [][2]net.Conn{{from, to}, {to, from}} {
			go func() {
				_, _ = io.Copy(pair[0], pair[1]) // It ends with an error when a side closes.
				_, _ = pair[0].Close(), pair[1].Close()
			}()
		}
	}
}
