package operators_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/operators"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/operators/thing"
)

const waitLimit = 30 * time.Second

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard()) // the operators log the faults
	flag.Parse()
	// The tests wait most of the time, so more of them than there are processors run in parallel.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// startCluster starts an API server with the kind Thing until the test ends.
func startCluster(t *testing.T) *rest.Config {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("KUBEBUILDER_ASSETS is unset; set it to the folder that `make envtest-assets` prints, or run `make test-short`")
	}
	env := &envtest.Environment{CRDDirectoryPaths: []string{"testdata"}, ErrorIfCRDPathMissing: true}
	cfg, err := env.Start()
	if err != nil {
		t.Fatalf("starting the test cluster: %v", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Errorf("stopping the test cluster: %v", err)
		}
	})
	cfg.QPS = -1 // the test polls
	return cfg
}

// TestOperatorsConverge checks that without faults the bugs do not show.
func TestOperatorsConverge(t *testing.T) {
	cfg := startCluster(t)
	scheme, err := thing.NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	user, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("group", func(t *testing.T) {
		for _, class := range operators.Classes() {
			for _, program := range []thing.Program{class.Buggy, class.Fixed} {
				t.Run(program.Name, func(t *testing.T) {
					t.Parallel()
					converge(t, user, cfg, program, class.Updates)
				})
			}
		}
	})
}

func converge(t *testing.T, user client.Client, cfg *rest.Config, program thing.Program, updates bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- program.Start(ctx, cfg) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := user.Create(ctx, ns); err != nil {
		t.Fatal(err)
	}
	obj := &thing.Thing{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: program.Name}, Spec: thing.Spec{Value: "v1"}}
	if err := user.Create(ctx, obj); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the Thing is ready", func(ctx context.Context) error { return ready(ctx, user, obj) })
	if updates {
		if err := obj.Patch(ctx, user, func() { obj.Spec.Value = "v2" }); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the updated Thing is ready", func(ctx context.Context) error { return ready(ctx, user, obj) })
		checkUpdated(t, user, obj)
	}
	if err := user.Delete(ctx, obj); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the Thing and its unowned children are deleted", func(ctx context.Context) error {
		if err := user.Get(ctx, client.ObjectKeyFromObject(obj), obj); !apierrors.IsNotFound(err) {
			return fmt.Errorf("reading the Thing: %w", errors.Join(err, errors.New("it exists")))
		}
		children, err := obj.Children(ctx, user)
		for _, child := range children {
			if len(child.OwnerReferences) == 0 {
				err = errors.Join(err, fmt.Errorf("ConfigMap %s is left", child.Name))
			}
		}
		return err
	})
}

// ready returns nil if the Thing has its value.
func ready(ctx context.Context, c client.Client, obj *thing.Thing) error {
	if err := c.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
		return err
	}
	if obj.Status.Value != obj.Spec.Value {
		return fmt.Errorf("its status is %+v", obj.Status)
	}
	return nil
}

// checkUpdated checks that one child is left, with the new value and a moved origin, if it has one.
func checkUpdated(t *testing.T, c client.Client, obj *thing.Thing) {
	t.Helper()
	children, err := obj.Children(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if len(children) != 1 || children[0].Data["value"] != "v2" {
		t.Errorf("children = %v, want one with value v2", children)
	}
	for _, child := range children {
		if origin, moved := child.Data["origin"]; moved && origin != "v1" {
			t.Errorf("origin = %q, want v1", origin)
		}
	}
}

// eventually waits until check returns nil. On a timeout it reports the last error.
func eventually(t *testing.T, what string, check func(ctx context.Context) error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, waitLimit, true, func(ctx context.Context) (bool, error) {
		now := check(ctx)
		if now == nil || ctx.Err() == nil {
			last = now // a cancelled check says nothing
		}
		return now == nil, nil
	})
	if err != nil {
		t.Fatalf("waiting until %s: %v; last: %v", what, err, last)
	}
}
