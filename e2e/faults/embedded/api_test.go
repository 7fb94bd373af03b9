package embedded

import (
	"fmt"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/e2e/faults/rig"
	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

// spans are spans of every complete trace of a new Head: the operator's, and some of the
// observer's.
var spans = []string{
	"admit Head", "converge Head", "reconcile Head", "create ChildA", "reconcile ChildA", "create Deployment",
	"update_status ChildA", "update_status Head", "create ReplicaSet", "bind Pod",
}

// wantTrace creates a Head with the name and fails the test unless its trace becomes complete: the
// API server, webhook, operator, controllers, node, observer and Jaeger all work.
func (s *sandbox) wantTrace(name string) {
	s.T.Helper()
	if err := s.client().Create(s.T.Context(), newHead(name)); err != nil {
		s.T.Fatalf("creating a Head: %v", err)
	}
	out, missing, complete := "", "", false
	defer func() {
		if !complete {
			s.T.Logf("last trace of %s, without %q:\n%s", name, missing, out)
		}
	}()
	s.wait("the trace of the Head "+name, func() bool {
		var err error
		if out, err = s.Run(s.T.Context(), rig.AskLimit, "trace", name); err != nil {
			missing = err.Error()
			return false
		}
		for _, missing = range spans {
			if !strings.Contains(out, missing) {
				return false
			}
		}
		complete = true
		return true
	})
}

func newHead(name string) *unstructured.Unstructured {
	head := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"child_a": "example.com/app:1"}}}
	head.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Head"))
	head.SetNamespace("default")
	head.SetName(name)
	return head
}

// client returns a client for the kubeconfig that the sandbox wrote.
func (s *sandbox) client() client.Client {
	s.T.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", s.Dir+"/kubeconfig")
	if err != nil {
		s.T.Fatalf("reading the kubeconfig: %v", err)
	}
	if want := fmt.Sprintf("https://127.0.0.1:%d", s.Record().ComponentPorts[component.APIServerPort]); config.Host != want {
		s.T.Fatalf("the kubeconfig names the server %s, the API server has %s", config.Host, want)
	}
	c, err := client.New(config, client.Options{})
	if err != nil {
		s.T.Fatalf("creating a client: %v", err)
	}
	return c
}

// webhookURLs returns the URLs of all webhooks that the API server knows.
func (s *sandbox) webhookURLs() []string {
	s.T.Helper()
	mutating, validating := &admissionregistrationv1.MutatingWebhookConfigurationList{}, &admissionregistrationv1.ValidatingWebhookConfigurationList{}
	for _, list := range []client.ObjectList{mutating, validating} {
		if err := s.client().List(s.T.Context(), list); err != nil {
			s.T.Fatalf("listing webhooks: %v", err)
		}
	}
	var urls []string
	for _, item := range mutating.Items {
		for _, hook := range item.Webhooks {
			urls = append(urls, *hook.ClientConfig.URL)
		}
	}
	for _, item := range validating.Items {
		for _, hook := range item.Webhooks {
			urls = append(urls, *hook.ClientConfig.URL)
		}
	}
	return urls
}
