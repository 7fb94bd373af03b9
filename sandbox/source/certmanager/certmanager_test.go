package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"github.com/cert-manager/cert-manager/pkg/util/cmapichecker"
)

const (
	poll  = 100 * time.Millisecond
	limit = 60 * time.Second
)

// TestMain runs the program under test if the test binary is started with the name of one of the
// three programs.
func TestMain(m *testing.M) {
	if _, program := programs[filepath.Base(os.Args[0])]; program {
		os.Exit(run(os.Args))
	}
	os.Exit(m.Run())
}

// TestIssue runs the three programs against a real API server. It follows a Certificate from its
// creation through the admission webhook to a signed Secret. It also expects the CA bundle in a
// webhook configuration.
func TestIssue(t *testing.T) {
	env, c := startAPIServer(t)
	kubeconfig := writeFile(t, env.KubeConfig)
	const ns = "cert-manager"
	create(t, c, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}})

	webhookPort, webhookHealth, controllerHealth := freePort(t), freePort(t), freePort(t)
	// These are the flags of the rendered chart, except that leader election of the controller is on.
	startProgram(t, "webhook", "--kubeconfig="+kubeconfig, "--v=2",
		fmt.Sprintf("--secure-port=%d", webhookPort), fmt.Sprintf("--healthz-port=%d", webhookHealth),
		"--dynamic-serving-ca-secret-namespace="+ns, "--dynamic-serving-ca-secret-name=cert-manager-webhook-ca",
		"--dynamic-serving-dns-names=localhost", "--metrics-listen-address=0")
	startProgram(t, "cainjector", "--kubeconfig="+kubeconfig, "--v=2",
		"--leader-elect=false", "--leader-election-namespace="+ns, "--metrics-listen-address=0")
	stopController := startProgram(t, "controller", "--kubeconfig="+kubeconfig, "--v=2",
		"--cluster-resource-namespace="+ns, "--leader-elect=true", "--leader-election-namespace="+ns,
		"--acme-http01-solver-image=example.test/acmesolver:v1.21.2", "--max-concurrent-challenges=60",
		"--metrics-listen-address=0", fmt.Sprintf("--internal-healthz-listen-address=127.0.0.1:%d", controllerHealth))
	registerWebhooks(t, c, ns, webhookPort)

	eventually(t, "the webhook's readiness probe", func(ctx context.Context) error { return probe(ctx, webhookHealth, "/healthz") })
	eventually(t, "the webhook's liveness probe", func(ctx context.Context) error { return probe(ctx, webhookHealth, "/livez") })
	eventually(t, "the controller's liveness probe", func(ctx context.Context) error { return probe(ctx, controllerHealth, "/livez") })
	checker, err := cmapichecker.New(env.Config, ns)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "admission of cert-manager's kinds", checker.Check)

	issueThroughCA(t, c)
	stopController()
}

// issueThroughCA creates a self-signed root, a CA issuer with the root's key and a leaf from that
// issuer. It waits until the Certificates are ready and the leaf's CA is injected.
func issueThroughCA(t *testing.T, c client.Client) {
	t.Helper()
	const ns = "team"
	create(t, c, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}})
	create(t, c, &cmapi.Issuer{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "selfsigned"},
		Spec:       cmapi.IssuerSpec{IssuerConfig: cmapi.IssuerConfig{SelfSigned: &cmapi.SelfSignedIssuer{}}},
	})
	create(t, c, certificate(ns, "root", "selfsigned", true))
	create(t, c, &cmapi.Issuer{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "ca"},
		Spec:       cmapi.IssuerSpec{IssuerConfig: cmapi.IssuerConfig{CA: &cmapi.CAIssuer{SecretName: "root"}}},
	})
	create(t, c, certificate(ns, "leaf", "ca", false))
	target := webhookConfiguration("target", "https://localhost:1/", map[string]string{cmapi.WantInjectAnnotation: ns + "/leaf"})
	create(t, c, target)

	for _, name := range []string{"root", "leaf"} {
		eventually(t, "Certificate "+name, func(ctx context.Context) error { return certificateReady(ctx, c, ns, name) })
	}
	root, leaf := &corev1.Secret{}, &corev1.Secret{}
	for name, secret := range map[string]*corev1.Secret{"root": root, "leaf": leaf} {
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: name}, secret); err != nil {
			t.Fatal(err)
		}
	}
	ca := string(leaf.Data[cmmeta.TLSCAKey])
	if ca == "" || ca != string(root.Data[corev1.TLSCertKey]) {
		t.Errorf("ca.crt of the leaf = %q, want the root's certificate", ca)
	}
	eventually(t, "the CA bundle of webhook configuration target", func(ctx context.Context) error {
		if err := c.Get(ctx, client.ObjectKeyFromObject(target), target); err != nil {
			return err
		}
		if got := string(target.Webhooks[0].ClientConfig.CABundle); got != ca {
			return fmt.Errorf("caBundle = %q, want %q", got, ca)
		}
		return nil
	})
	invalid := certificate(ns, "invalid", "ca", false)
	invalid.Spec.DNSNames = nil
	if err := c.Create(t.Context(), invalid); err == nil || !strings.Contains(err.Error(), "denied the request") {
		t.Errorf("creating a Certificate without names: got error %v, want a denial by the webhook", err)
	}
}

func certificate(ns, name, issuer string, isCA bool) *cmapi.Certificate {
	return &cmapi.Certificate{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
		Spec: cmapi.CertificateSpec{
			SecretName: name, DNSNames: []string{name + ".test"}, IsCA: isCA,
			IssuerRef:  cmmeta.IssuerReference{Name: issuer},
			PrivateKey: &cmapi.CertificatePrivateKey{Algorithm: cmapi.ECDSAKeyAlgorithm, Size: 256},
		},
	}
}

func certificateReady(ctx context.Context, c client.Client, ns, name string) error {
	cert := &cmapi.Certificate{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: ns, Name: name}, cert); err != nil {
		return err
	}
	for _, condition := range cert.Status.Conditions {
		if condition.Type == cmapi.CertificateConditionReady && condition.Status == cmmeta.ConditionTrue {
			return nil
		}
	}
	return fmt.Errorf("not ready: %+v", cert.Status.Conditions)
}

// registerWebhooks registers the webhooks as the chart does, but by URL. The cainjector injects the
// webhook's own CA.
func registerWebhooks(t *testing.T, c client.Client, ns string, port int) {
	t.Helper()
	inject := map[string]string{cmapi.WantInjectFromSecretAnnotation: ns + "/cert-manager-webhook-ca"}
	mutating := webhookConfiguration("cert-manager-webhook", fmt.Sprintf("https://localhost:%d/mutate", port), inject)
	mutating.Webhooks[0].Rules = rules("certificaterequests", admissionregistrationv1.Create)
	create(t, c, mutating)
	m := mutating.Webhooks[0]
	create(t, c, &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "cert-manager-webhook", Annotations: inject},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: m.Name, SideEffects: m.SideEffects, AdmissionReviewVersions: m.AdmissionReviewVersions,
			Rules:        rules("*/*", admissionregistrationv1.Create, admissionregistrationv1.Update),
			ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: new(fmt.Sprintf("https://localhost:%d/validate", port))},
		}},
	})
}

func webhookConfiguration(name, url string, annotations map[string]string) *admissionregistrationv1.MutatingWebhookConfiguration {
	return &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "webhook.cert-manager.io", SideEffects: new(admissionregistrationv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
			ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &url},
		}},
	}
}

func rules(resource string, operations ...admissionregistrationv1.OperationType) []admissionregistrationv1.RuleWithOperations {
	return []admissionregistrationv1.RuleWithOperations{{
		Operations: operations,
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{"cert-manager.io"}, APIVersions: []string{"v1"}, Resources: []string{resource}},
	}}
}

func startAPIServer(t *testing.T) (*envtest.Environment, client.Client) {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set; set it to the output of `make envtest-assets`, or run `make test-short`")
	}
	env := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join(moduleDir(t), "deploy", "crds")}, ErrorIfCRDPathMissing: true}
	if _, err := env.Start(); err != nil {
		t.Fatalf("starting the API server: %v", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Errorf("stopping the API server: %v", err)
		}
	})
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), cmapi.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(env.Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return env, c
}

func moduleDir(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/cert-manager/cert-manager").Output()
	if err != nil {
		t.Fatalf("finding cert-manager's module: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// startProgram runs this test binary as the named program. The returned function sends SIGTERM and
// checks that the program exits with 0. If the test does not call it, a cleanup does.
func startProgram(t *testing.T, name string, args ...string) (stop func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), self) // stop sends SIGTERM and checks the exit code.
	cmd.Args = append([]string{name}, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Errorf("stopping %s: %v", name, err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s after SIGTERM: got error %v, want exit code 0", name, err)
		}
	}
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("output of %s:\n%s", name, text)
		}
		_ = log.Close()
	})
	return stop
}

func probe(ctx context.Context, port int, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", port, path), nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	return nil
}

func eventually(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	last := errors.New("never checked")
	err := wait.PollUntilContextTimeout(t.Context(), poll, limit, true, func(ctx context.Context) (bool, error) {
		last = check(ctx)
		return last == nil, nil
	})
	if err != nil {
		t.Fatalf("waiting for %s: %v; last error: %v", what, err, last)
	}
}

func create(t *testing.T, c client.Client, obj client.Object) {
	t.Helper()
	if err := c.Create(t.Context(), obj); err != nil {
		t.Fatalf("creating %T %s: %v", obj, obj.GetName(), err)
	}
}

func writeFile(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
