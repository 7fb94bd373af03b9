package snapshot_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/operator-tracing/sandbox/sandbox/embedded/snapshot"
)

// etcd starts an empty etcd, which stops when the test ends.
func etcd(t *testing.T) snapshot.Etcd {
	t.Helper()
	server := &envtest.Etcd{Path: os.Getenv("KUBEBUILDER_ASSETS") + "/etcd"}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return snapshot.Etcd{Client: http.DefaultClient, URL: server.URL.String()}
}

// What is read from the etcd of an API server has no secret, and comes whole into another etcd.
func TestEtcd(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set; set it to the output of `make envtest-assets`, or run `make test-short`")
	}
	environment := &envtest.Environment{CRDDirectoryPaths: []string{"../../../config/crd/bases"}}
	config, err := environment.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Error(err)
		}
	})
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	const planted = "planted-secret-value"
	_, err = client.CoreV1().Secrets("default").Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "planted"}, StringData: map[string]string{"key": planted},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 250 { // More than a transaction can have.
		role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("role-", i)}}
		if _, err := client.RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := snapshot.Etcd{Client: http.DefaultClient, URL: environment.ControlPlane.Etcd.URL.String()}.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"/registry/clusterroles/role-249", "/registry/clusterroles/cluster-admin",
		"/registry/apiextensions.k8s.io/customresourcedefinitions/heads.dummy.example.com",
	} {
		if !slices.ContainsFunc(entries, func(e snapshot.Entry) bool { return string(e.Key) == want }) {
			t.Errorf("Read() has no %s", want)
		}
	}
	for _, e := range entries {
		if bytes.Contains(e.Value, []byte(planted)) || bytes.Contains(e.Value, []byte("BEGIN ")) {
			t.Errorf("%s has a secret or a certificate", e.Key)
		}
	}
	other := etcd(t)
	if err := other.Write(t.Context(), append(entries, snapshot.Entry{Key: []byte("/registry/roles/large"), Value: make([]byte, 1400<<10)})); err != nil {
		t.Fatal(err)
	}
	got, err := other.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got = slices.DeleteFunc(got, func(e snapshot.Entry) bool { return string(e.Key) == "/registry/roles/large" })
	if diff := cmp.Diff(entries, got); diff != "" {
		t.Errorf("the other etcd has other objects (-want +got):\n%.2000s", diff)
	}
}

func TestEtcdDoesNotAnswer(t *testing.T) {
	t.Parallel()
	e := snapshot.Etcd{Client: http.DefaultClient, URL: "http://127.0.0.1:1"}
	if _, err := e.Read(t.Context()); err == nil {
		t.Error("Read() = nil, want an error")
	}
	if err := e.Write(t.Context(), []snapshot.Entry{{Key: []byte("a")}}); err == nil {
		t.Error("Write() = nil, want an error")
	}
}
