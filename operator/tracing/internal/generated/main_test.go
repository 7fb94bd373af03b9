package generated

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

var (
	operators = flag.Int("operators", 60, "number of generated operators with fixed seeds")
	seed      = flag.Uint64("seed", 0, "seed of the only operator to run (default: the fixed seeds and a random one)")
	described = flag.String("operator", "", "operator to run, as JSON, instead of a generated one")
	compared  = flag.String("mode", traced, "mode to compare with an operator without the library: plain, noop or traced")
	shrinks   = flag.Int64("shrink", 3, "number of failing operators to simplify, which takes some seconds each")

	scheme = newScheme()
	server *rest.Config
	mapper meta.RESTMapper
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		fmt.Fprintln(os.Stderr, "KUBEBUILDER_ASSETS is unset; run `make test-short`, or set it to the output of `make envtest-assets`")
		return 1
	}
	ctrl.SetLogger(logr.Discard()) // the operators' errors are part of the transcripts
	env := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join("testdata", "crds")}, ErrorIfCRDPathMissing: true, ControlPlaneStartTimeout: 2 * time.Minute}
	env.ControlPlane.GetAPIServer().Configure().Set("service-cluster-ip-range", "10.0.0.0/12") // for 2,000 operators
	var err error
	if server, err = env.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "starting the API server:", err)
		return 1
	}
	defer func() {
		if err := env.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stopping the API server:", err)
		}
	}()
	if err := prepare(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "preparing the API server:", err)
		return 1
	}
	return m.Run()
}

// prepare installs the admission policies and waits until they are in effect.
func prepare(ctx context.Context) error {
	server.QPS = -1
	h, err := rest.HTTPClientFor(server)
	if err != nil {
		return err
	}
	if mapper, err = apiutil.NewDynamicRESTMapper(server, h); err != nil {
		return err
	}
	c, err := newClient(server)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join("testdata", "policies.yaml"))
	if err != nil {
		return err
	}
	for d := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096); ; {
		u := &unstructured.Unstructured{}
		if err := d.Decode(u); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		if err := c.Create(ctx, u); err != nil {
			return err
		}
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ready", Labels: map[string]string{"rewrite": "yes"}}}
	if err := c.Create(ctx, ns); err != nil {
		return err
	}
	var last error
	err = wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
		last = tryPolicies(ctx, c)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the admission policies: %w: %w", err, last)
	}
	return nil
}

// tryPolicies returns an error if an admission policy, or the definition of a custom kind, is not
// in effect yet.
func tryPolicies(ctx context.Context, c client.Client) error {
	for kind, path := range map[string][]string{
		configMap: {"metadata", "labels", "admitted"}, widget: {"spec", "image"}, gadget: {"spec", "image"}, deployment: {"spec", "template", "spec", "containers"},
	} {
		m := object{"apiVersion": kinds[kind].GroupVersion().String(), "kind": kind, "metadata": object{"namespace": "ready", "name": "ready"}}
		overlay(m, fields(step{Kind: kind}, "ready", "app:1"))
		obj := asObject(m)
		if err := c.Create(ctx, obj, client.DryRunAll); err != nil {
			return err
		}
		if !rewritten(content(obj), path) {
			return fmt.Errorf("admission does not rewrite %s", kind)
		}
	}
	return nil
}

// rewritten reports whether admission changed the field at the path.
func rewritten(m object, path []string) bool {
	v, _, _ := unstructured.NestedFieldNoCopy(m, path...)
	text := fmt.Sprint(v)
	return text == "yes" || strings.Contains(text, "mirror.example.com/")
}
