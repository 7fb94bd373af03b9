package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/operator-tracing/sandbox/config"
)

const (
	operatorNamespace = "operator-tracing-system"
	operatorAccount   = "operator-tracing-manager"
	operatorUser      = "system:serviceaccount:" + operatorNamespace + ":" + operatorAccount

	waitLimit    = 20 * time.Second
	waitInterval = 50 * time.Millisecond
)

// testCluster is a real API server without any controllers but the operator's,
// which runs whole: as its own service account, from the manifests that users
// apply, behind an API server that checks permissions on owner references as
// OpenShift's does.
type testCluster struct {
	admin     client.Client
	auditLog  string
	probePort int
	hookPort  int
	logs      *logBuffer
	stop      func() error
}

var (
	startOnce   = sync.OnceValues(startCluster)
	stopCluster = func() error { return nil } // set by startCluster
	operatorLog = &logBuffer{}
)

// cluster gives the one cluster of this test binary and starts it when needed.
func cluster(t *testing.T) *testCluster {
	t.Helper()
	c, err := startOnce()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMain(m *testing.M) {
	code := m.Run()
	if code != 0 {
		fmt.Fprintln(os.Stderr, strings.Join(operatorLog.tail(50), ""))
	}
	if err := stopCluster(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping the test cluster:", err)
		code = max(code, 1)
	}
	// serve must leave nothing running: neither exporters nor informers.
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func startCluster() (_ *testCluster, err error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return nil, errors.New("KUBEBUILDER_ASSETS is unset: run `make envtest-assets` and set it to what that prints, or run the tests by `make test-short`")
	}
	dir, err := os.MkdirTemp("", "operator-test-")
	if err != nil {
		return nil, err
	}
	c := &testCluster{auditLog: filepath.Join(dir, "audit.log"), logs: operatorLog}
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	m, err := manifests()
	if err != nil {
		return nil, err
	}
	env := &envtest.Environment{
		Scheme:                scheme,
		CRDInstallOptions:     envtest.CRDInstallOptions{CRDs: m.definitions},
		WebhookInstallOptions: envtest.WebhookInstallOptions{MutatingWebhooks: m.webhooks},
	}
	policy := filepath.Join(dir, "audit.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return nil, err
	}
	env.ControlPlane.GetAPIServer().Configure().
		Set("audit-policy-file", policy).
		Set("audit-log-path", c.auditLog).
		Set("audit-log-mode", "blocking").
		Append("enable-admission-plugins", "OwnerReferencesPermissionEnforcement")

	admin, err := env.Start()
	if err != nil {
		return nil, fmt.Errorf("starting the test cluster: %w", err)
	}
	c.stop = func() error { return errors.Join(env.Stop(), os.RemoveAll(dir)) }
	defer func() {
		if err != nil {
			err = errors.Join(err, c.stop())
		}
	}()
	admin.QPS = -1 // tests poll
	if c.admin, err = client.New(admin, client.Options{Scheme: scheme}); err != nil {
		return nil, err
	}
	for _, obj := range m.others {
		if err := c.admin.Create(context.Background(), obj); err != nil {
			return nil, fmt.Errorf("creating %s %s: %w", obj.GetKind(), obj.GetName(), err)
		}
	}
	if err := c.startOperator(env, dir); err != nil {
		return nil, err
	}
	stopCluster = c.stop
	return c, nil
}

// rendered is config/default, sorted by who installs it.
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
		case "Certificate", "Issuer": // envtest makes the certificate
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

// startOperator runs the operator in this process, the way main does outside a cluster.
func (c *testCluster) startOperator(env *envtest.Environment, dir string) error {
	kubeconfig, err := writeKubeconfig(context.Background(), c.admin, env.Config, dir)
	if err != nil {
		return err
	}
	c.hookPort = env.WebhookInstallOptions.LocalServingPort
	if c.probePort, err = freePort(); err != nil {
		return err
	}
	// Spans are made and thrown away; what they say is the tracing library's test.
	if err := os.Setenv("OTEL_TRACES_EXPORTER", "none"); err != nil {
		return err
	}
	opts, err := parseOptions([]string{
		"--kubeconfig=" + kubeconfig,
		"--leader-elect",
		"--metrics-bind-address=0",
		"--health-probe-bind-address=127.0.0.1:" + strconv.Itoa(c.probePort),
		"--webhook-host=" + env.WebhookInstallOptions.LocalServingHost,
		"--webhook-port=" + strconv.Itoa(env.WebhookInstallOptions.LocalServingPort),
		"--webhook-cert-dir=" + env.WebhookInstallOptions.LocalServingCertDir,
		"--log-level=debug",
		"--log-format=text",
	}, func(name string) (string, bool) {
		value, ok := map[string]string{"POD_NAMESPACE": operatorNamespace, "SERVICE_ACCOUNT": operatorAccount}[name]
		return value, ok
	}, io.Discard)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, opts, opts.logger(c.logs)) }()
	stopServer := c.stop
	c.stop = func() error {
		cancel()
		return errors.Join(<-ended, stopServer())
	}
	return wait.PollUntilContextTimeout(ctx, waitInterval, waitLimit, true, func(ctx context.Context) (bool, error) {
		select {
		case err := <-ended:
			ended <- err
			return false, fmt.Errorf("the operator ended: %w\n%s", err, c.logs)
		default:
			return c.probe(ctx, "readyz") == nil, nil
		}
	})
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// eventually waits until check finds nothing wrong and reports the last thing
// that it found when it never does.
func eventually(t *testing.T, what string, check func(ctx context.Context) error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), waitInterval, waitLimit, true, func(ctx context.Context) (bool, error) {
		now := check(ctx)
		if now == nil || ctx.Err() == nil {
			last = now // a check that was cut off has nothing to say
		}
		return now == nil, nil
	})
	if err != nil {
		t.Fatalf("waiting until %s: %v; last: %v", what, err, last)
	}
}

// namespace makes a namespace for one test.
func (c *testCluster) namespace(t *testing.T) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := c.admin.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	return ns.Name
}

// get reads an object and fails the test when it is not there.
func (c *testCluster) get(t *testing.T, obj client.Object) {
	t.Helper()
	if err := c.admin.Get(t.Context(), client.ObjectKeyFromObject(obj), obj); err != nil {
		t.Fatal(err)
	}
}
