package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/operator-tracing/sandbox/config"
)

// apiServer is a real API server without controllers. It contains the manifests that users apply, and writes
// an audit log. It checks permissions on owner references, as OpenShift does.
type apiServer struct {
	admin client.Client
	env   *envtest.Environment
	audit *auditLog
	dir   string
}

func startServer() (_ *apiServer, err error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return nil, errors.New("KUBEBUILDER_ASSETS is unset; set it to the output of `make envtest-assets`, or run `make test-short`")
	}
	dir, err := os.MkdirTemp("", "operator-test-")
	if err != nil {
		return nil, err
	}
	s := &apiServer{dir: dir, audit: &auditLog{path: filepath.Join(dir, "audit.log")}}
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	m, err := manifests()
	if err != nil {
		return nil, err
	}
	s.env = &envtest.Environment{
		Scheme:                scheme,
		CRDInstallOptions:     envtest.CRDInstallOptions{CRDs: m.definitions},
		WebhookInstallOptions: envtest.WebhookInstallOptions{MutatingWebhooks: m.webhooks},
	}
	policy := filepath.Join(dir, "audit.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return nil, err
	}
	s.env.ControlPlane.GetAPIServer().Configure().
		Set("audit-policy-file", policy).
		Set("audit-log-path", s.audit.path).
		Set("audit-log-mode", "blocking").
		Append("enable-admission-plugins", "OwnerReferencesPermissionEnforcement")

	admin, err := s.env.Start()
	if err != nil {
		return nil, fmt.Errorf("starting the test cluster: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	admin.QPS = -1 // no limit, because tests poll
	if s.admin, err = client.New(admin, client.Options{Scheme: scheme}); err != nil {
		return nil, err
	}
	for _, obj := range m.others {
		if err := s.admin.Create(context.Background(), obj); err != nil {
			return nil, fmt.Errorf("creating %s %s: %w", obj.GetKind(), obj.GetName(), err)
		}
	}
	return s, nil
}

func (s *apiServer) stop() error {
	return errors.Join(s.env.Stop(), os.RemoveAll(s.dir))
}

// rendered contains the objects of config/default by how the test installs them.
type rendered struct {
	definitions []*apiextensionsv1.CustomResourceDefinition
	webhooks    []*admissionregistrationv1.MutatingWebhookConfiguration
	others      []*unstructured.Unstructured
}

func manifests() (rendered, error) {
	var out rendered
	objects, err := config.Build("default", "")
	if err != nil {
		return out, err
	}
	for _, obj := range objects {
		switch obj.GetKind() {
		case "CustomResourceDefinition":
			crd := &apiextensionsv1.CustomResourceDefinition{}
			err = runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, crd)
			out.definitions = append(out.definitions, crd)
		case "MutatingWebhookConfiguration":
			hook := &admissionregistrationv1.MutatingWebhookConfiguration{}
			err = runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, hook)
			out.webhooks = append(out.webhooks, hook)
		case "Certificate", "Issuer": // envtest creates the certificate
		case "Deployment": // this process is the operator
		default:
			out.others = append(out.others, obj)
		}
		if err != nil {
			return out, fmt.Errorf("decoding %s %s: %w", obj.GetKind(), obj.GetName(), err)
		}
	}
	return out, nil
}

// namespace creates a namespace for one test.
func (s *apiServer) namespace(t *testing.T) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := s.admin.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	return ns.Name
}

// get reads an object. It fails the test if the object does not exist.
func (s *apiServer) get(t *testing.T, obj client.Object) {
	t.Helper()
	if err := s.admin.Get(t.Context(), client.ObjectKeyFromObject(obj), obj); err != nil {
		t.Fatal(err)
	}
}

// as returns a client of another user that can do everything.
func (s *apiServer) as(t *testing.T, user string) client.Client {
	t.Helper()
	cfg := rest.CopyConfig(s.env.Config)
	cfg.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:masters"}}
	c, err := client.New(cfg, client.Options{Scheme: s.admin.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
