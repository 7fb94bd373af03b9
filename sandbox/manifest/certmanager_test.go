package manifest

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/klog/v2"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

var update = flag.Bool("update", false, "rewrite the golden files of this package")

var sourceImages = []Image{
	{Ref: "sandbox.test/cert-manager-controller:v1.21.2", PullPolicy: corev1.PullNever},
	{Ref: "sandbox.test:5000/cert-manager-cainjector:v1.21.2@sha256:" + strings.Repeat("a", 64)},
	{Ref: "sandbox.test/cert-manager-webhook@sha256:" + strings.Repeat("b", 64)},
}

// chartDir returns the folder of the chart, once for all tests.
var chartDir = sync.OnceValues(func() (string, error) {
	// The result outlives the first test, so its context is not suitable.
	dir, err := os.MkdirTemp("", "chart")
	if err != nil {
		return "", err
	}
	b := &build.Builder{Root: "../..", Cache: dir}
	return b.Chart(context.Background(), component.Named(component.CertManager), nil)
})

func certManager(t *testing.T, o TableOptions) *Component {
	t.Helper()
	dir, err := chartDir()
	if err != nil {
		t.Fatal(err)
	}
	o.ChartDir = dir
	rendered, err := FromTable(component.Named(component.CertManager), o)
	if err != nil {
		t.Fatal(err)
	}
	return rendered
}

// TestCertManagerObjects compares the list of objects, so that a new version of the chart cannot
// add hooks, jobs or network policies unnoticed.
func TestCertManagerObjects(t *testing.T) {
	t.Parallel()
	golden(t, "certmanager.txt", list(certManager(t, TableOptions{}).Objects))
}

func TestCertManagerImages(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		options TableOptions
		want    map[string]string
	}{
		{"registry", TableOptions{}, map[string]string{
			"cert-manager":            "quay.io/jetstack/cert-manager-controller:v1.21.2 IfNotPresent",
			"cert-manager-cainjector": "quay.io/jetstack/cert-manager-cainjector:v1.21.2 IfNotPresent",
			"cert-manager-webhook":    "quay.io/jetstack/cert-manager-webhook:v1.21.2 IfNotPresent",
		}},
		{"source", TableOptions{Images: sourceImages}, map[string]string{
			"cert-manager":            sourceImages[0].Ref + " Never",
			"cert-manager-cainjector": sourceImages[1].Ref + " IfNotPresent",
			"cert-manager-webhook":    sourceImages[2].Ref + " IfNotPresent",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := make(map[string]string)
			for _, d := range deployments(t, certManager(t, test.options)) {
				c := d.Spec.Template.Spec.Containers[0]
				got[d.Name] = c.Image + " " + string(c.ImagePullPolicy)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("images (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCertManagerSpeed checks the values on which a quick start depends.
func TestCertManagerSpeed(t *testing.T) {
	t.Parallel()
	for _, d := range deployments(t, certManager(t, TableOptions{})) {
		c := d.Spec.Template.Spec.Containers[0]
		args := strings.Join(c.Args, " ")
		if d.Name == "cert-manager-webhook" {
			if p := c.ReadinessProbe; p.InitialDelaySeconds != 0 || p.PeriodSeconds != 1 {
				t.Errorf("%s: readiness probe after %d s, every %d s, want 0 and 1", d.Name, p.InitialDelaySeconds, p.PeriodSeconds)
			}
			continue
		}
		if !slices.ContainsFunc(d.Spec.Template.Spec.Tolerations, func(t corev1.Toleration) bool {
			return t.ToleratesTaint(klog.Background(), &corev1.Taint{Key: "node-role.kubernetes.io/control-plane", Effect: corev1.TaintEffectNoSchedule}, false)
		}) {
			t.Errorf("%s: tolerations = %v, want one for the control plane", d.Name, d.Spec.Template.Spec.Tolerations)
		}
		if !strings.Contains(args, "--leader-elect=false") {
			t.Errorf("%s: args = %q, want no election", d.Name, args)
		}
		if !strings.Contains(args, "--leader-election-namespace=cert-manager") {
			t.Errorf("%s: args = %q, want leases in cert-manager", d.Name, args)
		}
	}
}

func TestCertManagerBadImage(t *testing.T) {
	t.Parallel()
	dir, err := chartDir()
	if err != nil {
		t.Fatal(err)
	}
	_, err = FromTable(component.Named(component.CertManager), TableOptions{ChartDir: dir, Images: []Image{{}, {}, {Ref: "sandbox.test:5000/webhook"}}})
	if err == nil || !strings.Contains(err.Error(), `"sandbox.test:5000/webhook"`) {
		t.Errorf("FromTable(image without tag or digest) = %v, want an error that names it", err)
	}
}

// A row needs a chart, or objects and one image.
func TestRowsWithoutManifests(t *testing.T) {
	t.Parallel()
	row := component.Component{Name: "prometheus"}
	_, err := FromTable(row, TableOptions{})
	applytest.CheckError(t, err, "rendering prometheus: no manifests")
	row.Objects = func(string) []map[string]any { return nil }
	_, err = FromTable(row, TableOptions{Images: make([]Image, 2)})
	applytest.CheckError(t, err, "rendering prometheus: got 2 images, want 1")
}

// list renders objects for a golden file, one a line.
func list(objects []*unstructured.Unstructured) string {
	var lines []string
	for _, obj := range objects {
		lines = append(lines, obj.GetAPIVersion()+" "+apply.Describe(obj))
	}
	return strings.Join(lines, "\n") + "\n"
}

func deployments(t *testing.T, component *Component) []appsv1.Deployment {
	t.Helper()
	var out []appsv1.Deployment
	for _, obj := range component.Objects {
		if obj.GetKind() != "Deployment" {
			continue
		}
		var d appsv1.Deployment
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, &d); err != nil {
			t.Fatalf("%s: %v", apply.Describe(obj), err)
		}
		out = append(out, d)
	}
	if len(out) == 0 {
		t.Fatalf("%s has no Deployment", component.Name)
	}
	return out
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), rewrite with -update:\n%s", path, diff)
	}
}
