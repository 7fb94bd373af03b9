package install

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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

const webhookAddress = "localhost:23456"

func operatorAsProcess(t *testing.T) *Component {
	t.Helper()
	rendered, err := Operator(OperatorOptions{Manifests: referenceManifests(t), Version: "v1-test", WebhookAddress: webhookAddress})
	if err != nil {
		t.Fatal(err)
	}
	return rendered
}

// TestProcessesGetWhatPodsGet compares a component for processes with the same for Pods, object by object. Only what runs
// Pods is missing, and only the webhooks may know the address: above all no certificate's name may have a port.
func TestProcessesGetWhatPodsGet(t *testing.T) {
	operatorPods, err := Operator(OperatorOptions{Manifests: referenceManifests(t), Image: Image{Ref: operatorImage}, Version: "v1-test"})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		pods, processes *Component
		without         map[string]int
		urls            []string
	}{
		{
			certManager(t, CertManagerOptions{}), certManager(t, CertManagerOptions{WebhookAddress: webhookAddress}),
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
				t.Errorf("version %s, with Pods %s", test.processes.Version, test.pods.Version)
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
					spec["dnsNames"], spec["duration"] = []any{"localhost"}, "8760h" // A year: nothing renews a copy.
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
					t.Errorf("%s knows the webhook's address", describe(obj))
				}
			}
		})
	}
}

// cutClientConfigs removes how the webhooks of a configuration are called, and returns the URLs among that.
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
				t.Errorf("%s: client configuration %v, want only a URL", describe(obj), config)
			}
		}
		delete(hook, "clientConfig")
	}
	if len(hooks) > 0 {
		obj.Object["webhooks"] = hooks
	}
	return urls
}

func TestWebhookAddressMustFitTheCertificate(t *testing.T) {
	manifests := referenceManifests(t)
	for address, want := range map[string]string{
		"localhost":             "missing port",
		"localhost:":            "want localhost and a port",
		"localhost:0":           "want localhost and a port",
		"localhost:65536":       "want localhost and a port",
		"127.0.0.1:1":           "want localhost and a port",
		"https://localhost:1/x": "too many colons",
	} {
		_, err := Operator(OperatorOptions{Manifests: manifests, Version: "v1", WebhookAddress: address})
		checkError(t, err, want)
		checkError(t, err, address)
		_, err = CertManager(CertManagerOptions{ChartDir: "unread", WebhookAddress: address})
		checkError(t, err, want)
	}
	_, err := Operator(OperatorOptions{Manifests: manifests, WebhookAddress: webhookAddress})
	checkError(t, err, "rendering the operator: no version")
}

// TestClusterOfProcesses installs what a cluster without a kubelet gets into a real API server, and plays the processes.
func TestClusterOfProcesses(t *testing.T) {
	c := startCluster(t)
	t.Run("Node", func(t *testing.T) { testNode(t, c) })
	t.Run("CertManager", func(t *testing.T) { testCertManagerAsProcesses(t, c) })
	t.Run("Operator", func(t *testing.T) { testOperatorAsProcess(t, c) })
}

// testNode plays kwok and the controller that makes ServiceAccounts.
func testNode(t *testing.T, c *Cluster) {
	checkError(t, Serves(t.Context(), c, component.Node), "no Node")
	rendered, err := Node()
	if err != nil {
		t.Fatal(err)
	}
	applyTwice(t, c, rendered)
	manifest := only(t, rendered, "Node")
	node := &corev1.Node{}
	if err := c.Client().Get(t.Context(), client.ObjectKeyFromObject(manifest), node); err != nil {
		t.Fatal(err)
	}
	if room := node.Status.Allocatable; room.Cpu().Value() != 32 || room.Pods().Value() != 500 {
		t.Errorf("the API server stored a node with room for %v", room)
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
	if err := rendered.Wait(t.Context(), c); err != nil {
		t.Error(err)
	}
	// Another Apply, as every `up` does, takes nothing from what kwok reported.
	apply(t, c, rendered)
	if status, err := StatusOf(t.Context(), c, component.Node); err != nil || !status.Ready || status.Version != "" {
		t.Errorf("status = %+v, %v; want ready", status, err)
	}
}

func testCertManagerAsProcesses(t *testing.T, c *Cluster) {
	checkVersion(t, c, component.CertManager, "")
	rendered := certManager(t, CertManagerOptions{WebhookAddress: webhookAddress})
	applyTwice(t, c, rendered)
	checkVersion(t, c, component.CertManager, CertManagerVersion)
	// Nothing listens yet, and nobody is waited for but the service.
	waitFails(t, c, rendered, holdUp+time.Second, "waiting for cert-manager: context deadline exceeded: last: checking cert-manager's API: ")
	if err := Serves(t.Context(), c, component.CertManager); err == nil {
		t.Error("cert-manager serves without a process")
	}
	// The operator's certificate is to pass below.
	for _, obj := range rendered.Objects {
		if obj.GroupVersionKind().Group == "admissionregistration.k8s.io" {
			if _, err := deleteOne(t.Context(), c, obj); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func testOperatorAsProcess(t *testing.T, c *Cluster) {
	rendered := operatorAsProcess(t)
	checkVersion(t, c, component.Operator, "")
	applied := make(chan error, 1)
	go func() { applied <- rendered.Apply(t.Context(), c) }()
	configuration := only(t, rendered, "MutatingWebhookConfiguration")
	for _, kind := range []string{"Issuer", "Certificate"} {
		obj := only(t, rendered, kind)
		eventually(t, func(ctx context.Context) error {
			return c.Client().Get(ctx, client.ObjectKeyFromObject(obj), live(obj))
		})
		if err := c.Client().Get(t.Context(), client.ObjectKeyFromObject(configuration), live(configuration)); err == nil {
			t.Errorf("the webhook is configured before the %s is ready", kind)
		}
		setReady(t, c, obj)
	}
	if err := <-applied; err != nil {
		t.Fatal(err)
	}
	injectCA(t, c, configuration)
	applyTwice(t, c, rendered)
	checkVersion(t, c, component.Operator, "v1-test")
	injected := live(configuration)
	if err := c.Client().Get(t.Context(), client.ObjectKeyFromObject(configuration), injected); err != nil {
		t.Fatal(err)
	}
	if text := mustJSON(t, injected); !strings.Contains(text, `"caBundle":"`) || !strings.Contains(text, webhookAddress) {
		t.Errorf("after another Apply the webhook lost its CA or address: %s", text)
	}

	// The API server tries a webhook that refuses it until the timeout of 2 s.
	waitFails(t, c, rendered, 5*time.Second, "the operator's webhook added no annotation")
	pointWebhook(t, c, configuration)
	if err := rendered.Wait(t.Context(), c); err != nil {
		t.Error(err)
	}
	if err := Serves(t.Context(), c, component.Operator); err != nil {
		t.Error(err)
	}
	if err := Serves(t.Context(), c, component.Jaeger); err != nil {
		t.Errorf("a component without a check: %v", err)
	}
}

// injectCA plays cainjector, which owns that one field.
func injectCA(t *testing.T, c *Cluster, configuration *unstructured.Unstructured) {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	bundle := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	patch := fmt.Sprintf(`[{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": %s}]`, mustJSON(t, bundle))
	if err := c.Client().Patch(t.Context(), live(configuration), client.RawPatch("application/json-patch+json", []byte(patch))); err != nil {
		t.Fatal(err)
	}
}

// applyTwice holds that the second time writes nothing.
func applyTwice(t *testing.T, c *Cluster, rendered *Component) {
	t.Helper()
	apply(t, c, rendered)
	before := versions(t, c, rendered)
	apply(t, c, rendered)
	if diff := cmp.Diff(before, versions(t, c, rendered)); diff != "" {
		t.Errorf("a second Apply of %s wrote (-before +after):\n%s", rendered.Name, diff)
	}
}

func waitFails(t *testing.T, c *Cluster, rendered *Component, limit time.Duration, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	err := rendered.Wait(ctx, c)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("waiting for %s: error %v, want %q", rendered.Name, err, want)
	}
}

func checkVersion(t *testing.T, c *Cluster, name, want string) {
	t.Helper()
	if got, err := VersionOf(t.Context(), c, name); err != nil || got != want {
		t.Errorf("version of %s = %q, %v; want %q", name, got, err, want)
	}
}
