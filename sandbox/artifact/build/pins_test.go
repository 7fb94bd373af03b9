package build

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	table "github.com/operator-tracing/sandbox/sandbox/component"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
	"sigs.k8s.io/kind/pkg/apis/config/defaults"

	"github.com/operator-tracing/sandbox/sandbox/artifact/internal/filetest"
)

const repository = "../../.."

// requiredBy returns the version of a module that a go.mod of this repository requires.
func requiredBy(t *testing.T, folder, module string) string {
	t.Helper()
	folder = filepath.Join(repository, folder)
	data, err := os.ReadFile(filepath.Join(folder, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	version, err := required(data, folder, module)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

// Builds from source must have the versions of the pulled images and of the repository.
func TestPins(t *testing.T) {
	t.Parallel()
	const certManagerModule, kubernetesModule = "github.com/cert-manager/cert-manager", "k8s.io/kubernetes"
	for _, pin := range []struct{ what, got, want string }{
		{"cert-manager built from source", requiredBy(t, certManager.module, certManagerModule), table.Named(table.CertManager).Version},
		{"cert-manager's API that the sandbox waits with", requiredBy(t, ".", certManagerModule), table.Named(table.CertManager).Version},
		// Two names of one commit: see table.Named(table.Jaeger).Version.
		{"Jaeger's module for " + table.Named(table.Jaeger).Version, requiredBy(t, jaeger.module, "github.com/jaegertracing/jaeger"), "v1.76.0"},
	} {
		if pin.got != pin.want {
			t.Errorf("version of %s = %s, want %s", pin.what, pin.got, pin.want)
		}
	}
	kubernetesPin := requiredBy(t, kubernetes.module, kubernetesModule)
	if got, want := semver.MajorMinor(kubernetesPin), "v1."+minor(t, requiredBy(t, ".", "k8s.io/client-go")); got != want {
		t.Errorf("Kubernetes from source is %s, want %s as the client", kubernetesPin, want)
	}
	for _, stamp := range kubernetes.stamp {
		if m, found := strings.CutPrefix(stamp, "k8s.io/component-base/version.gitMinor="); found && "v1."+m != semver.MajorMinor(kubernetesPin) {
			t.Errorf("stamp of Kubernetes %s has the minor version %s", kubernetesPin, m)
		}
	}
	tagged, _, _ := strings.Cut(defaults.Image, "@")
	if _, tag, _ := strings.Cut(tagged, ":"); semver.MajorMinor(tag) != semver.MajorMinor(kubernetesPin) {
		t.Errorf("kind's node has Kubernetes %s, the node from source %s", tag, kubernetesPin)
	}
}

// minor returns N for a module version v0.N of Kubernetes 1.N.
func minor(t *testing.T, version string) string {
	t.Helper()
	parts := strings.Split(version, ".")
	if len(parts) != 3 || parts[0] != "v0" {
		t.Fatalf("version %q is not like v0.37.2", version)
	}
	return parts[1]
}

// The module of every component exists and has its packages.
func TestComponentsModules(t *testing.T) {
	t.Parallel()
	for _, c := range []component{nodeInit, kubernetes, nodeTools, coreDNS, certManager, jaeger, kwok, operator} {
		data, err := os.ReadFile(filepath.Join(repository, c.module, "go.mod"))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if modfile.ModulePath(data) == "" {
			t.Errorf("%s: its go.mod names no module", c.name)
		}
		for _, p := range c.packages {
			if p != "tool" && !filetest.Exists(filepath.Join(repository, c.module, p, "main.go")) {
				t.Errorf("%s: no main.go in package %s", c.name, p)
			}
		}
	}
}

func TestVersionsOfTheNode(t *testing.T) {
	t.Parallel()
	v, err := (&Builder{Root: repository}).Versions()
	if err != nil {
		t.Fatal(err)
	}
	if !semver.IsValid(v.Kubernetes) || !semver.IsValid("v"+v.EtcdTag) || !strings.HasSuffix(v.EtcdTag, "-0") || !semver.IsValid(v.CoreDNSTag) {
		t.Errorf("Versions() = %+v", v)
	}
	if _, err := (&Builder{Root: t.TempDir()}).Versions(); err == nil || !strings.Contains(err.Error(), "reading pinned versions") {
		t.Errorf("Versions() without sources = %v", err)
	}
}

func TestRequiredReportsAnInvalidFile(t *testing.T) {
	t.Parallel()
	_, err := required([]byte("require ("), "sandbox/source/x", "m")
	if err == nil || !strings.Contains(err.Error(), "sandbox/source/x/go.mod") {
		t.Errorf("required() = %v", err)
	}
}

// reference is the reference operator. A test of package project compares it with
// config/sandbox.yaml.
var reference = Program{Module: ".", Main: "./operator", Sources: []string{"operator", "config/settings"}}

var operator = operatorOf(reference)
