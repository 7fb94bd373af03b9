package workload

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

// kubelet answers requests for logs, because the API server has no kubelet. It forwards other
// requests to the API server.
type kubelet struct {
	api http.Handler

	mu    sync.Mutex
	asked []string // the queries of requests for logs
}

// withLogs returns the cluster behind a kubelet.
func withLogs(t *testing.T, c *apply.Cluster) (*apply.Cluster, *kubelet) {
	t.Helper()
	target, err := url.Parse(c.Config().Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = transport
	k := &kubelet{api: proxy}
	server := httptest.NewServer(k)
	t.Cleanup(server.Close)
	seen, err := apply.NewCluster(&rest.Config{Host: server.URL}, c.Subject())
	if err != nil {
		t.Fatal(err)
	}
	return seen, k
}

func (k *kubelet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	pod, isLog := strings.CutSuffix(r.URL.Path, "/log")
	if !isLog {
		k.api.ServeHTTP(w, r)
		return
	}
	k.mu.Lock()
	k.asked = append(k.asked, r.URL.RawQuery)
	k.mu.Unlock()
	if r.URL.Query().Get("previous") == "true" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"previous terminated container not found","reason":"BadRequest","code":400}`)
		return
	}
	fmt.Fprintf(w, "first of %s\nno newline", pod[strings.LastIndexByte(pod, '/')+1:])
}

func (k *kubelet) queries() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.asked)
}

// runPod creates a Pod in kube-system with a running container.
func runPod(t *testing.T, c *apply.Cluster, name string, labels map[string]string, id string) {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: name, Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "x"}}},
	}
	if err := c.Client().Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	pod.Status = containers(corev1.ContainerStatus{
		Name: "main", Image: "registry.test/x:1", ImageID: "registry.test/x@sha256:" + id, ContainerID: "containerd://" + id, Ready: true, RestartCount: 2,
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}},
	})
	if err := c.Client().Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
}

func testPodsAndLogs(t *testing.T, direct *apply.Cluster) {
	t.Parallel()
	c, k := withLogs(t, direct)
	if pods, err := Pods(t.Context(), c, "etcd"); err != nil || len(pods) > 0 {
		t.Fatalf("Pods(etcd) = %d Pods, %v, want none", len(pods), err)
	}
	err := Logs(t.Context(), c, &strings.Builder{}, "etcd", LogOptions{Lines: 1})
	if !errors.Is(err, ErrNoLog) {
		t.Errorf("Logs() = %v, want ErrNoLog", err)
	}
	labels := map[string]string{"component": "etcd", "tier": "control-plane"}
	runPod(t, direct, "etcd-a", labels, "aa")
	runPod(t, direct, "other", map[string]string{"component": "kube-scheduler", "tier": "control-plane"}, "bb")
	pods, err := Pods(t.Context(), c, component.ControlPlane)
	if err != nil || len(pods) != 2 {
		t.Fatalf("Pods(control plane) = %d Pods, %v, want 2", len(pods), err)
	}
	want := Running{
		Images: []string{"registry.test/x:1"}, Digests: []string{"sha256:aa", "sha256:bb"}, Restarts: 4,
		Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	got := RunningOf(pods)
	got.Since = got.Since.UTC()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	var out strings.Builder
	if err := Logs(t.Context(), c, &out, "etcd", LogOptions{Lines: 7, Since: 90 * time.Second}); err != nil || out.String() != "first of etcd-a\nno newline" {
		t.Errorf("Logs() = %q, %v", out.String(), err)
	}
	if q := k.queries(); len(q) != 1 || q[0] != "container=main&sinceSeconds=90&tailLines=7" {
		t.Errorf("queries = %q", q)
	}
	if err := Logs(t.Context(), c, &out, "etcd", LogOptions{Lines: -1, Previous: true}); !errors.Is(err, ErrNoLog) || !strings.Contains(err.Error(), "previous terminated") {
		t.Errorf("Logs(previous) = %v, want ErrNoLog", err)
	}
	testFollow(t, direct, c, labels)
}

// testFollow follows the logs of a Pod and of its successor. The end of the context is not an
// error.
func testFollow(t *testing.T, direct, c *apply.Cluster, labels map[string]string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &collected{}
	done := make(chan error, 1)
	go func() { done <- Logs(ctx, c, out, "etcd", LogOptions{Lines: 1, Follow: true}) }()
	applytest.Eventually(t, out.has("first of etcd-a\nno newline\n"))
	runPod(t, direct, "etcd-b", labels, "cc")
	applytest.Eventually(t, out.has("first of etcd-b\nno newline\n"))
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if text := out.String(); strings.Count(text, "first of etcd-a") != 1 {
		t.Errorf("Logs read a log twice:\n%s", text)
	}
}

// collected is a writer for several goroutines.
type collected struct {
	mu   sync.Mutex
	text strings.Builder
}

func (w *collected) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(data)
}

func (w *collected) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func (w *collected) has(text string) func(context.Context) error {
	return func(context.Context) error {
		if all := w.String(); !strings.Contains(all, text) {
			return fmt.Errorf("no %q in %q", text, all)
		}
		return nil
	}
}

func TestRunningOfUnready(t *testing.T) {
	t.Parallel()
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "b"}, Status: containers(
		corev1.ContainerStatus{Name: "one", Image: "i", ImageID: "sha256:local", Ready: true},
		corev1.ContainerStatus{Name: "two", Image: "i"},
		corev1.ContainerStatus{Name: "starting", Image: "i", Started: ptr.To(false), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
		corev1.ContainerStatus{Name: "failing", Image: "i", Started: ptr.To(true), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
		corev1.ContainerStatus{Name: "crashing", Image: "i", Started: ptr.To(false), State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}},
	)}
	want := Running{Images: []string{"i"}, Digests: []string{"sha256:local"}, Unready: []string{
		"Pod a/b: container two is not ready", "Pod a/b: container failing is not ready", "Pod a/b: container crashing is not ready",
	}}
	if diff := cmp.Diff(want, RunningOf([]corev1.Pod{pod})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
