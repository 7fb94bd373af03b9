package adoptiontest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

// TestAdopterFaults checks that an operator without any change converges after each fault. It runs as a
// process, so that a kill is a SIGKILL. In short mode, the two faults that find most are tested.
func TestAdopterFaults(t *testing.T) {
	p := copyProject(t, "adopter")
	program := p.build(t, "./cmd")
	cache := func(namespace string) *unstructured.Unstructured {
		obj := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"image": "registry.invalid/cache:1", "replicas": int64(2)}}}
		obj.SetAPIVersion("cache.example.com/v1alpha1")
		obj.SetKind("Cache")
		obj.SetNamespace(namespace)
		obj.SetName("web")
		return obj
	}
	o := faulttest.Options{CRDs: []string{filepath.Join(testdata, "adopter/config/crd/bases")}}
	if testing.Short() {
		o.Faults = []plan.Fault{plan.KillAfter, plan.LostAnswer}
	}
	faulttest.Run(t, faulttest.Operator{
		Start: func(ctx context.Context, cfg *rest.Config) error {
			return runBehindProxy(ctx, cfg, program, "--health-probe-bind-address=127.0.0.1:0")
		},
		Apply: func(ctx context.Context, c client.Client, namespace string) error {
			return c.Create(ctx, cache(namespace))
		},
		Update: func(ctx context.Context, c client.Client, namespace string) error {
			return c.Patch(ctx, cache(namespace), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":3}}`)))
		},
		Ready: func(ctx context.Context, c client.Client, namespace string) (bool, error) {
			obj := cache(namespace)
			if err := c.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
				return false, err
			}
			return observed(obj) == obj.GetGeneration(), wantReady(obj)
		},
		Cluster: rollOutDeployments,
	}, o)
}

// observed returns the generation of the first condition, or 0.
func observed(obj *unstructured.Unstructured) int64 {
	conditions, _, err := unstructured.NestedSlice(obj.Object, "status", "conditions")
	if err != nil || len(conditions) == 0 {
		return 0
	}
	condition, _ := conditions[0].(map[string]any)
	generation, _ := condition["observedGeneration"].(int64)
	return generation
}

// rollOutDeployments does the work of the Deployment controller.
func rollOutDeployments(ctx context.Context, c client.Client) error {
	err := wait.PollUntilContextCancel(ctx, waitInterval, true, func(ctx context.Context) (bool, error) {
		list := &appsv1.DeploymentList{}
		if c.List(ctx, list) != nil {
			return false, nil // ctx ended
		}
		for _, d := range list.Items {
			if n := *d.Spec.Replicas; d.Status.ObservedGeneration != d.Generation {
				d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n}
				_ = c.Status().Update(ctx, &d) // the next poll tries again
			}
		}
		return false, nil
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// runBehindProxy runs the program until ctx ends. All its requests pass through the transport of cfg.
func runBehindProxy(ctx context.Context, cfg *rest.Config, program string, arguments ...string) error {
	transport, err := rest.TransportFor(cfg)
	if err != nil {
		return err
	}
	target, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return err
	}
	server := httptest.NewServer(newProxy(target, transport))
	defer server.Close()
	dir, err := os.MkdirTemp("", "adopter-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	kubeconfig := clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"proxy": {Server: server.URL}},
		Contexts:       map[string]*clientcmdapi.Context{"proxy": {Cluster: "proxy"}},
		CurrentContext: "proxy",
	}
	path := filepath.Join(dir, "kubeconfig")
	if err := clientcmd.WriteToFile(kubeconfig, path); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, arguments...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+path)
	output := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = output, output
	err = cmd.Run()
	log.FromContext(ctx).Info("The operator ended", "output", output.String())
	server.CloseClientConnections()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// newProxy returns a proxy that cuts the connection when the transport fails.
func newProxy(target *url.URL, transport http.RoundTripper) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Accept-Encoding") // faults read the events, which the API server may compress
		},
		Transport:     transport,
		FlushInterval: -1,
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
}
