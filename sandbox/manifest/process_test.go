package manifest

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

const webhookAddress = "localhost:23456"

func operatorAsProcess(t *testing.T) *Component {
	t.Helper()
	rendered, err := Operator(OperatorOptions{Manifests: applytest.Manifests(t), Version: "v1-test", WebhookAddress: webhookAddress})
	if err != nil {
		t.Fatal(err)
	}
	return rendered
}

// TestProcessesHaveObjectsOfPods compares a component for processes with the same for Pods, object
// by object. Only the objects that run Pods may be absent. Only the webhooks may have the address:
// the name of a certificate must not have a port.
func TestProcessesHaveObjectsOfPods(t *testing.T) {
	t.Parallel()
	operatorPods, err := Operator(OperatorOptions{Manifests: applytest.Manifests(t), Image: Image{Ref: operatorImage}, Version: "v1-test"})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		pods, processes *Component
		without         map[string]int
		urls            []string
	}{
		{
			certManager(t, TableOptions{}), certManager(t, TableOptions{Processes: true, WebhookAddress: webhookAddress}),
			map[string]int{"Deployment": 3, "Service": 1},
			[]string{"https://localhost:23456/mutate", "https://localhost:23456/validate"},
		},
		{
			operatorPods, operatorAsProcess(t),
			map[string]int{"Deployment": 1, "Service": 1},
			[]string{"https://localhost:23456/mutate-dummy-example-com-v1alpha1-head"},
		},
	} {
		t.Run(test.pods.Name, func(t *testing.T) {
			if test.pods.Version != test.processes.Version {
				t.Errorf("version = %s, want %s as with Pods", test.processes.Version, test.pods.Version)
			}
			var urls []string
			for _, obj := range test.processes.Objects {
				urls = append(urls, cutClientConfigs(t, obj)...)
			}
			if diff := cmp.Diff(test.urls, urls); diff != "" {
				t.Errorf("addresses of webhooks (-want +got):\n%s", diff)
			}
			var want []*unstructured.Unstructured
			without := make(map[string]int)
			for _, obj := range test.pods.Objects {
				cutClientConfigs(t, obj)
				if kind := obj.GetKind(); kind == "Deployment" || kind == "Service" {
					without[kind]++
					continue
				}
				if test.pods.Name == component.Operator && obj.GetKind() == "Certificate" {
					spec := obj.Object["spec"].(map[string]any)
					spec["dnsNames"], spec["duration"] = []any{"localhost"}, "8760h" // a year, because no controller renews a copy
				}
				want = append(want, obj)
			}
			if diff := cmp.Diff(test.without, without); diff != "" {
				t.Errorf("objects that only Pods need (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, test.processes.Objects); diff != "" {
				t.Errorf("objects (-Pods +processes):\n%s", diff)
			}
			for _, obj := range test.processes.Objects {
				if strings.Contains(mustJSON(t, obj), webhookAddress) {
					t.Errorf("%s has the webhook's address", apply.Describe(obj))
				}
			}
		})
	}
}

// cutClientConfigs removes the client configurations of webhooks and returns their URLs.
func cutClientConfigs(t *testing.T, obj *unstructured.Unstructured) []string {
	t.Helper()
	hooks, _, err := unstructured.NestedSlice(obj.Object, "webhooks")
	if err != nil {
		t.Fatal(err)
	}
	var urls []string
	for _, item := range hooks {
		hook := item.(map[string]any)
		config := hook["clientConfig"].(map[string]any)
		if target, ok := config["url"].(string); ok {
			urls = append(urls, target)
			if len(config) != 1 {
				t.Errorf("%s: client configuration = %v, want only a URL", apply.Describe(obj), config)
			}
		}
		delete(hook, "clientConfig")
	}
	if len(hooks) > 0 {
		obj.Object["webhooks"] = hooks
	}
	return urls
}

func TestWebhookAddressMustMatchTheCertificate(t *testing.T) {
	t.Parallel()
	manifests := applytest.Manifests(t)
	for address, want := range map[string]string{
		"localhost":             "missing port",
		"localhost:":            "want localhost and a port",
		"localhost:0":           "want localhost and a port",
		"localhost:65536":       "want localhost and a port",
		"127.0.0.1:1":           "want localhost and a port",
		"https://localhost:1/x": "too many colons",
	} {
		_, err := Operator(OperatorOptions{Manifests: manifests, Version: "v1", WebhookAddress: address})
		applytest.CheckError(t, err, want)
		applytest.CheckError(t, err, address)
		_, err = FromTable(component.Named(component.CertManager), TableOptions{ChartDir: "unread", WebhookAddress: address})
		applytest.CheckError(t, err, want)
	}
	_, err := Operator(OperatorOptions{Manifests: manifests, WebhookAddress: webhookAddress})
	applytest.CheckError(t, err, "rendering the operator: no version")
}

// TestClusterOfProcesses applies the components of a cluster without a kubelet to an API server,
// and does the work of the processes. The subtests depend on each other.
func TestClusterOfProcesses(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	t.Run("Node", func(t *testing.T) { testNode(t, c) })
	t.Run("CertManager", func(t *testing.T) { testCertManagerAsProcesses(t, c) })
	t.Run("Operator", func(t *testing.T) { testOperatorAsProcess(t, c) })
}

// testNode does the work of kwok and of the controller that creates ServiceAccounts.
func testNode(t *testing.T, c *apply.Cluster) {
	applytest.CheckError(t, workload.Serves(t.Context(), c, component.Node), "no Node")
	rendered, err := Node()
	if err != nil {
		t.Fatal(err)
	}
	applyTwice(t, c, rendered)
	obj := only(t, rendered, "Node")
	node := &corev1.Node{}
	if err := c.Client().Get(t.Context(), client.ObjectKeyFromObject(obj), node); err != nil {
		t.Fatal(err)
	}
	pods, _, err := unstructured.NestedString(obj.Object, "status", "allocatable", "pods")
	if room := node.Status.Allocatable; err != nil || pods == "" || !room.Pods().Equal(resource.MustParse(pods)) {
		t.Errorf("allocatable = %v, want %q Pods as rendered (error %v)", room, pods, err)
	}

	waitFails(t, c, rendered, time.Second, "Node sandbox-node: no condition Ready yet")
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionFalse, Reason: "Starting"}}
	if err := c.Client().Status().Update(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	waitFails(t, c, rendered, time.Second, "condition Ready=False (Starting)")
	node.Status.Conditions[0].Status = corev1.ConditionTrue
	if err := c.Client().Status().Update(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	waitFails(t, c, rendered, time.Second, `reading ServiceAccount default/default: serviceaccounts "default" not found`)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "default"}}
	if err := c.Client().Create(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	if err := rendered.Wait(t.Context(), c, nil); err != nil {
		t.Error(err)
	}
	// Another Apply, as in every `up`, keeps the status from kwok.
	mustApply(t, c, rendered)
	if status, err := workload.StatusOf(t.Context(), c, component.Node); err != nil || !status.Ready || status.Version != "" {
		t.Errorf("StatusOf() = %+v, %v, want ready", status, err)
	}
}

func testCertManagerAsProcesses(t *testing.T, c *apply.Cluster) {
	checkVersion(t, c, component.CertManager, "")
	rendered := certManager(t, TableOptions{Processes: true, WebhookAddress: webhookAddress})
	applyTwice(t, c, rendered)
	checkVersion(t, c, component.CertManager, component.Named(component.CertManager).Version)
	// No process listens yet. Wait waits only for the service.
	waitFails(t, c, rendered, creationDelay+time.Second, "waiting for cert-manager: context deadline exceeded: last: checking cert-manager's API: ")
	if err := workload.Serves(t.Context(), c, component.CertManager); err == nil {
		t.Error("Serves(cert-manager) without a process = nil, want an error")
	}
	deleteWebhooks(t, c, rendered) // They would deny the operator's certificate.
}

func testOperatorAsProcess(t *testing.T, c *apply.Cluster) {
	rendered := operatorAsProcess(t)
	checkVersion(t, c, component.Operator, "")
	applied := make(chan error, 1)
	go func() { applied <- rendered.Apply(t.Context(), c) }()
	configuration := only(t, rendered, "MutatingWebhookConfiguration")
	for _, kind := range []string{"Issuer", "Certificate"} {
		obj := only(t, rendered, kind)
		applytest.Eventually(t, func(ctx context.Context) error {
			return c.Client().Get(ctx, client.ObjectKeyFromObject(obj), applytest.Live(obj))
		})
		if err := c.Client().Get(t.Context(), client.ObjectKeyFromObject(configuration), applytest.Live(configuration)); err == nil {
			t.Errorf("Apply configured the webhook before the %s is ready", kind)
		}
		setReady(t, c, obj)
	}
	if err := <-applied; err != nil {
		t.Fatal(err)
	}
	injectCA(t, c, configuration)
	applyTwice(t, c, rendered)
	checkVersion(t, c, component.Operator, "v1-test")
	injected := applytest.Live(configuration)
	if err := c.Client().Get(t.Context(), client.ObjectKeyFromObject(configuration), injected); err != nil {
		t.Fatal(err)
	}
	if text := mustJSON(t, injected); !strings.Contains(text, `"caBundle":"`) || !strings.Contains(text, webhookAddress) {
		t.Errorf("the second Apply removed the CA or the address of the webhook: %s", text)
	}

	// The API server retries a webhook that refuses connections until the timeout of 2 s.
	waitFails(t, c, rendered, 5*time.Second, "the operator's webhook added no annotation")
	pointWebhook(t, c, configuration)
	if err := rendered.Wait(t.Context(), c, nil); err != nil {
		t.Error(err)
	}
	if err := workload.Serves(t.Context(), c, component.Operator); err != nil {
		t.Error(err)
	}
	if err := workload.Serves(t.Context(), c, component.Jaeger); err != nil {
		t.Errorf("Serves(jaeger), which has no check = %v", err)
	}
}

// injectCA does the work of cainjector, which owns only that field.
func injectCA(t *testing.T, c *apply.Cluster, configuration *unstructured.Unstructured) {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	bundle := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	patch := fmt.Sprintf(`[{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": %s}]`, mustJSON(t, bundle))
	if err := c.Client().Patch(t.Context(), applytest.Live(configuration), client.RawPatch("application/json-patch+json", []byte(patch))); err != nil {
		t.Fatal(err)
	}
}

// applyTwice checks that the second Apply writes nothing.
func applyTwice(t *testing.T, c *apply.Cluster, rendered *Component) {
	t.Helper()
	mustApply(t, c, rendered)
	before := versions(t, c, rendered)
	mustApply(t, c, rendered)
	if diff := cmp.Diff(before, versions(t, c, rendered)); diff != "" {
		t.Errorf("a second Apply of %s wrote (-before +after):\n%s", rendered.Name, diff)
	}
}

func waitFails(t *testing.T, c *apply.Cluster, rendered *Component, limit time.Duration, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	err := rendered.Wait(ctx, c, nil)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Wait(%s) = %v, want %q", rendered.Name, err, want)
	}
}

func checkVersion(t *testing.T, c *apply.Cluster, name, want string) {
	t.Helper()
	if got, err := workload.VersionOf(t.Context(), c, name); err != nil || got != want {
		t.Errorf("VersionOf(%s) = %q, %v, want %q", name, got, err, want)
	}
}

// creationDelay is the delay of [apply.Cluster.Settle], which precedes the check in Wait.
const creationDelay = 2 * time.Second
