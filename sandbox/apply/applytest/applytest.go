// Package applytest helps tests of objects in a real API server. It does not import package apply,
// so that the tests of that package can use it.
package applytest

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/operator-tracing/sandbox/config"
	"github.com/operator-tracing/sandbox/sandbox/project"
)

// Start starts an API server for the test, without controllers and without a kubelet. It stops when
// the test ends. The test fails if KUBEBUILDER_ASSETS is not set.
func Start(t *testing.T) *rest.Config {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("KUBEBUILDER_ASSETS is unset: run `make envtest-assets` and set it to the folder that prints, or use `make test-short`")
	}
	env := &envtest.Environment{}
	cfg, err := env.Start()
	if err != nil {
		t.Fatalf("starting the API server: %v", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Errorf("stopping the API server: %v", err)
		}
	})
	return cfg
}

// Manifests returns the manifests of the reference operator.
func Manifests(t *testing.T) *project.Manifests {
	t.Helper()
	p, err := project.Default()
	if err != nil {
		t.Fatal(err)
	}
	m, err := p.Render()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Object decodes a single object from YAML.
func Object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	objects, err := config.Decode(text)
	if err != nil || len(objects) != 1 {
		t.Fatalf("Decode(%q) = %d objects, %v, want one", text, len(objects), err)
	}
	return objects[0]
}

// Live returns an empty object with the identity of obj, for a read.
func Live(obj *unstructured.Unstructured) *unstructured.Unstructured {
	out := &unstructured.Unstructured{}
	out.SetGroupVersionKind(obj.GroupVersionKind())
	out.SetNamespace(obj.GetNamespace())
	out.SetName(obj.GetName())
	return out
}

// CheckError checks that err contains a text, or is nil if the text is empty.
func CheckError(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("error = %v, want %q", err, want)
	}
}

// Eventually repeats a check until it returns nil, for at most 30 s.
func Eventually(t *testing.T, check func(context.Context) error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		last = check(ctx)
		return last == nil, nil
	})
	if err != nil {
		t.Fatalf("%v: last: %v", err, last)
	}
}
