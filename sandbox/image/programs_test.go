package image

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
)

// cachedPrograms are those of this repository, with a text in the place of each program, and no Go to build any.
func cachedPrograms(t *testing.T, components ...component) (*Programs, string) {
	t.Helper()
	b := &Builder{Root: repository, Cache: t.TempDir(), OS: "plan9", Arch: "mips"}
	p := NewPrograms(b)
	for _, c := range components {
		key, _, err := p.source.key(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, output := range c.outputs {
			put(t, b.Cache, "bin/"+c.name+"-"+key+"/"+output, c.name)
		}
	}
	if _, err := b.Chart(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir())
	if goos, goarch := b.platform(); goos != "plan9" || goarch != "mips" {
		t.Errorf("NewPrograms changed its Builder's platform to %s/%s", goos, goarch)
	}
	return p, b.Cache
}

func TestProgramsFromTheCacheNeedNoGo(t *testing.T) {
	p, cache := cachedPrograms(t, kubernetes, certManager, jaeger, kwok, operator)
	controlPlane, err := p.ControlPlane(t.Context(), nil)
	if err != nil {
		t.Error(err)
	}
	certManagerPaths, err := p.CertManager(t.Context(), nil)
	if err != nil {
		t.Error(err)
	}
	jaegerPath, err := p.Jaeger(t.Context(), nil)
	if err != nil {
		t.Error(err)
	}
	kwokProgram, err := p.Kwok(t.Context(), nil)
	if err != nil {
		t.Error(err)
	}
	operatorPath, key, err := p.Operator(t.Context(), reference, nil)
	if err != nil {
		t.Error(err)
	}
	if want := "operator-" + key; len(key) != 16 || filepath.Base(filepath.Dir(operatorPath)) != want {
		t.Errorf("the operator is %s, its key %q", operatorPath, key)
	}
	// Each path ends in the name that the program goes by, and leads to the one that was cached.
	for path, want := range map[string]string{
		controlPlane.Etcd: "etcd of kubernetes", controlPlane.APIServer: "kube-apiserver of kubernetes",
		controlPlane.ControllerManager: "kube-controller-manager of kubernetes", controlPlane.Scheduler: "kube-scheduler of kubernetes",
		controlPlane.Kubectl: "kubectl of kubernetes", certManagerPaths.Controller: "controller of cert-manager",
		certManagerPaths.CAInjector: "cainjector of cert-manager", certManagerPaths.Webhook: "webhook of cert-manager",
		jaegerPath: "jaeger of jaeger", kwokProgram.Path: "kwok of kwok", operatorPath: "operator of operator",
	} {
		if got := filepath.Base(path) + " of " + read(t, path); got != want || !strings.HasPrefix(path, cache) {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	if !fileExists(filepath.Join(certManagerPaths.ChartDir, "Chart.yaml")) {
		t.Errorf("no chart in %s", certManagerPaths.ChartDir)
	}
}

func TestProgramsThatMustBeBuiltNeedGo(t *testing.T) {
	p, _ := cachedPrograms(t)
	for name, build := range map[string]func() error{
		"kubernetes":   func() error { _, err := p.ControlPlane(t.Context(), nil); return err },
		"cert-manager": func() error { _, err := p.CertManager(t.Context(), nil); return err },
		"jaeger":       func() error { _, err := p.Jaeger(t.Context(), nil); return err },
		"kwok":         func() error { _, err := p.Kwok(t.Context(), nil); return err },
		"operator":     func() error { _, _, err := p.Operator(t.Context(), reference, nil); return err },
	} {
		if err := build(); err == nil || !strings.HasPrefix(err.Error(), "building "+name+": ") || !strings.Contains(err.Error(), "install Go") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// What was built for a node's image is run as it is, where the node would run.
func TestProgramsShareTheImagesCache(t *testing.T) {
	b := &Builder{Root: repository, OS: "linux", Arch: runtime.GOARCH}
	forImage, _, err := b.key(kubernetes)
	if err != nil {
		t.Fatal(err)
	}
	here, _, err := NewPrograms(b).source.key(kubernetes)
	if err != nil {
		t.Fatal(err)
	}
	if (forImage == here) != (runtime.GOOS == "linux") {
		t.Errorf("the image's key is %s, this machine's (%s) %s", forImage, runtime.GOOS, here)
	}
}

func TestControlPlaneBinariesAreEnvtests(t *testing.T) {
	p, cache := cachedPrograms(t, kubernetes)
	folder, err := (&Builder{Root: repository, Cache: cache, OS: "plan9"}).ControlPlaneBinaries(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"}
	if diff := cmp.Diff(want, names(t, folder)); diff != "" {
		t.Errorf("programs (-want +got):\n%s", diff)
	}
	if programs, err := p.ControlPlane(t.Context(), nil); err != nil || filepath.Dir(programs.Etcd) != folder {
		t.Errorf("the programs are %+v, %v; want them in %s", programs, err, folder)
	}
}

func TestLinkWritesNothingWhereTheLinksAre(t *testing.T) {
	dir := t.TempDir()
	c := component{name: "program", outputs: []string{"program"}, links: []string{"assets/one", "two"}}
	put(t, dir, "program", "")
	var group errgroup.Group
	for range 8 { // Several commands at once, in a cache from before there were links.
		group.Go(func() error { return c.link(dir) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{dir, filepath.Join(dir, "assets")} {
		usedAgo(t, folder, time.Hour)
	}
	if err := c.link(dir); err != nil {
		t.Error(err)
	}
	for _, folder := range []string{dir, filepath.Join(dir, "assets")} {
		info, err := os.Stat(folder)
		if err != nil {
			t.Fatal(err)
		}
		if time.Since(info.ModTime()) < time.Minute {
			t.Errorf("%s was written to: a cache that only can be read would fail", folder)
		}
	}
}

func TestLinkDoesNotReplaceSomethingElse(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "program", "")
	put(t, dir, "one", "a file")
	err := component{outputs: []string{"program"}, links: []string{"one"}}.link(dir)
	if err == nil || !strings.Contains(err.Error(), "linking one: ") || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("error %v", err)
	}
	if got := read(t, filepath.Join(dir, "one")); got != "a file" {
		t.Errorf("the file holds %q", got)
	}
}
