package faults

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/state"
)

// TestRepair breaks parts of a running sandbox, one after another. The next up repairs each, and
// shows the sample's trace.
func TestRepair(t *testing.T) {
	cache := linkedCache(t)
	s := newSandbox(t)
	s.Env = append(s.Env, "XDG_CACHE_HOME="+cache, "GOCACHE="+goCache(t))
	s.up()
	for _, fault := range []struct {
		name string
		does func(ctx context.Context, s *sandbox)
	}{
		{"a definition deleted", func(ctx context.Context, s *sandbox) {
			crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "childas.dummy.example.com"}}
			s.must(s.client().Delete(ctx, crd))
		}},
		{"cert-manager's definition deleted", func(ctx context.Context, s *sandbox) {
			crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "issuers.cert-manager.io"}}
			s.must(s.client().Delete(ctx, crd))
		}},
		{"the webhook's configuration changed", func(ctx context.Context, s *sandbox) {
			s.changeWebhook(ctx, func(hook *admissionregistrationv1.MutatingWebhook) {
				path := "/nowhere"
				hook.ClientConfig.Service.Path = &path
				hook.ClientConfig.CABundle = nil
			})
		}},
		{"the webhook's configuration deleted", func(ctx context.Context, s *sandbox) {
			for _, configuration := range s.webhooks(ctx) {
				s.must(s.client().Delete(ctx, &configuration))
			}
		}},
		{"cert-manager scaled to zero", func(ctx context.Context, s *sandbox) {
			s.changeDeployments(ctx, "cert-manager", func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32) })
		}},
		{"Jaeger's Pod killed", func(ctx context.Context, s *sandbox) {
			s.must(s.client().DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(s.namespaceOf(ctx, "jaeger")),
				client.MatchingLabels{"app.kubernetes.io/name": "jaeger"}, client.GracePeriodSeconds(0)))
		}},
		{"the operator's Deployment deleted", func(ctx context.Context, s *sandbox) {
			s.must(s.client().Delete(ctx, &appsv1.Deployment{
				ObjectMeta: metav1.ObjectMeta{Namespace: "operator-tracing-system", Name: "operator-tracing-manager"},
			}))
		}},
		{"the kubeconfig lost", func(_ context.Context, s *sandbox) {
			s.must(os.Remove(filepath.Join(s.Dir, "kubeconfig")))
		}},
		{"the node's container deleted", func(_ context.Context, s *sandbox) {
			s.engine("rm", "--force", "--volumes", node)
		}},
		{"a truncated file of the cache, which a new node needs", func(_ context.Context, s *sandbox) {
			s.engine("rm", "--force", "--volumes", node)
			cutShort(s.T, filepath.Join(cache, state.Product, "layers", "jaeger-*", "layer.tar"))
		}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			s := s.in(t)
			fault.does(t.Context(), s)
			if out := s.up(); !strings.Contains(out, "admit Head") {
				t.Errorf("up printed no trace:\n%s", out)
			}
			s.WantUp()
		})
	}
}

func (s *sandbox) must(err error) {
	s.T.Helper()
	if err != nil {
		s.T.Fatal(err)
	}
}

// client returns a client for the kubeconfig that the sandbox wrote.
func (s *sandbox) client() client.Client {
	s.T.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(s.Dir, "kubeconfig"))
	s.must(err)
	scheme := runtime.NewScheme()
	s.must(clientgoscheme.AddToScheme(scheme))
	s.must(apiextensionsv1.AddToScheme(scheme))
	c, err := client.New(config, client.Options{Scheme: scheme})
	s.must(err)
	return c
}

// webhooks returns the operator's webhooks.
func (s *sandbox) webhooks(ctx context.Context) []admissionregistrationv1.MutatingWebhookConfiguration {
	s.T.Helper()
	list := &admissionregistrationv1.MutatingWebhookConfigurationList{}
	s.must(s.client().List(ctx, list))
	var found []admissionregistrationv1.MutatingWebhookConfiguration
	for _, configuration := range list.Items {
		if strings.HasPrefix(configuration.Name, "operator-tracing") {
			found = append(found, configuration)
		}
	}
	if len(found) == 0 {
		s.T.Fatal("the operator has no webhook")
	}
	return found
}

func (s *sandbox) changeWebhook(ctx context.Context, change func(*admissionregistrationv1.MutatingWebhook)) {
	s.T.Helper()
	for _, configuration := range s.webhooks(ctx) {
		for i := range configuration.Webhooks {
			change(&configuration.Webhooks[i])
		}
		s.must(s.client().Update(ctx, &configuration))
	}
}

func (s *sandbox) changeDeployments(ctx context.Context, namespace string, change func(*appsv1.Deployment)) {
	s.T.Helper()
	list := &appsv1.DeploymentList{}
	s.must(s.client().List(ctx, list, client.InNamespace(namespace)))
	if len(list.Items) == 0 {
		s.T.Fatalf("namespace %s has no Deployment", namespace)
	}
	for i := range list.Items {
		change(&list.Items[i])
		s.must(s.client().Update(ctx, &list.Items[i]))
	}
}

// namespaceOf returns the namespace of a Deployment.
func (s *sandbox) namespaceOf(ctx context.Context, name string) string {
	s.T.Helper()
	list := &appsv1.DeploymentList{}
	s.must(s.client().List(ctx, list))
	for _, d := range list.Items {
		if d.Name == name {
			return d.Namespace
		}
	}
	s.T.Fatalf("there is no Deployment %s", name)
	return ""
}

// linkedCache returns a cache folder for the test, with hard links to all builds, so that one file
// can be replaced by a broken one. It is beside the user's own, because links cannot lead to
// another file system.
func linkedCache(t *testing.T) string {
	t.Helper()
	shared, err := state.CachePath()
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp(filepath.Dir(shared), state.Product+"-faults-") //nolint:usetesting // See above.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	err = filepath.WalkDir(shared, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(shared, path)
		if err != nil {
			return err
		}
		return link(path, filepath.Join(folder, state.Product, relative), entry)
	})
	if err != nil {
		t.Fatalf("linking the cache: %v", err)
	}
	return folder
}

func link(from, to string, entry os.DirEntry) error {
	switch {
	case entry.IsDir():
		return os.MkdirAll(to, 0o755)
	case entry.Type()&os.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	default:
		return os.Link(from, to)
	}
}

// cutShort truncates the files that match a pattern to half of their size. Files that they were
// linked to stay complete.
func cutShort(t *testing.T, pattern string) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data[:len(data)/2], 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
