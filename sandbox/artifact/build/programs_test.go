package build

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	table "github.com/operator-tracing/sandbox/sandbox/component"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/artifact/internal/filetest"
)

// cachedPrograms returns Programs of this repository with a text for each program in the cache, and
// no Go.
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
			filetest.Put(t, b.Cache, "bin/"+c.name+"-"+key+"/"+output, c.name)
		}
	}
	if _, err := b.Chart(t.Context(), table.Named(table.CertManager), nil); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir())
	if goos, goarch := b.platform(); goos != "plan9" || goarch != "mips" {
		t.Errorf("NewPrograms() changed its Builder's platform to %s/%s", goos, goarch)
	}
	return p, b.Cache
}

func TestCachedProgramsNeedNoGo(t *testing.T) {
	p, cache := cachedPrograms(t, kubernetes, certManager, jaeger, kwok, operator)
	paths := map[string]string{}
	for _, name := range []string{table.ControlPlane, table.CertManager, table.Jaeger, table.Node} {
		got, err := p.Paths(t.Context(), table.Named(name), nil)
		if err != nil {
			t.Error(err)
		}
		maps.Copy(paths, got)
	}
	operatorPath, key, err := p.Operator(t.Context(), reference, nil)
	if err != nil {
		t.Error(err)
	}
	if want := "operator-" + key; len(key) != 16 || filepath.Base(filepath.Dir(operatorPath)) != want {
		t.Errorf("Operator() = %s, %q", operatorPath, key)
	}
	// Each path ends in the program's name and leads to the cached program.
	for path, want := range map[string]string{
		paths[table.Etcd]: "etcd of kubernetes", paths[table.APIServer]: "kube-apiserver of kubernetes",
		paths[table.ControllerManager]: "kube-controller-manager of kubernetes", paths[table.Scheduler]: "kube-scheduler of kubernetes",
		paths[table.CertManagerController]: "controller of cert-manager",
		paths[table.CertManagerCAInjector]: "cainjector of cert-manager", paths[table.CertManagerWebhook]: "webhook of cert-manager",
		paths[table.Jaeger]: "jaeger of jaeger", paths[table.Kwok]: "kwok of kwok", operatorPath: "operator of operator",
	} {
		if got := filepath.Base(path) + " of " + filetest.Read(t, path); got != want || !strings.HasPrefix(path, cache) {
			t.Errorf("program at %s = %q, want %q", path, got, want)
		}
	}
}

func TestMissingProgramsNeedGo(t *testing.T) {
	p, _ := cachedPrograms(t)
	for name, build := range map[string]func() error{
		"kubernetes":   func() error { _, err := p.Paths(t.Context(), table.Named(table.ControlPlane), nil); return err },
		"cert-manager": func() error { _, err := p.Paths(t.Context(), table.Named(table.CertManager), nil); return err },
		"jaeger":       func() error { _, err := p.Paths(t.Context(), table.Named(table.Jaeger), nil); return err },
		"kwok":         func() error { _, err := p.Paths(t.Context(), table.Named(table.Node), nil); return err },
		"operator":     func() error { _, _, err := p.Operator(t.Context(), reference, nil); return err },
	} {
		if err := build(); err == nil || !strings.HasPrefix(err.Error(), "building "+name+": ") || !strings.Contains(err.Error(), "install Go") {
			t.Errorf("%s: %v, want the remedy to install Go", name, err)
		}
	}
}

// On Linux, the builds for a node's image run unchanged.
func TestProgramsShareTheImagesCache(t *testing.T) {
	t.Parallel()
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
		t.Errorf("key for the image = %s, for %s = %s", forImage, runtime.GOOS, here)
	}
}

func TestControlPlaneBinaries(t *testing.T) {
	p, cache := cachedPrograms(t, kubernetes)
	folder, err := (&Builder{Root: repository, Cache: cache, OS: "plan9"}).ControlPlaneBinaries(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"}
	if diff := cmp.Diff(want, filetest.Names(t, folder)); diff != "" {
		t.Errorf("programs (-want +got):\n%s", diff)
	}
	if programs, err := p.Paths(t.Context(), table.Named(table.ControlPlane), nil); err != nil || filepath.Dir(programs[table.Etcd]) != folder {
		t.Errorf("Paths(control plane) = %+v, %v; want programs in %s", programs, err, folder)
	}
}

func TestLinkKeepsLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := component{name: "program", outputs: []string{"program"}, links: []string{"assets/one", "two"}}
	filetest.Put(t, dir, "program", "")
	var group errgroup.Group
	for range 8 { // Several commands at once, with a build of an old version.
		group.Go(func() error { return c.link(dir) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{dir, filepath.Join(dir, "assets")} {
		filetest.UsedAgo(t, folder, time.Hour)
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
			t.Errorf("link() wrote to %s, which fails in a read-only cache", folder)
		}
	}
}

func TestLinkKeepsOtherFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	filetest.Put(t, dir, "program", "")
	filetest.Put(t, dir, "one", "a file")
	err := component{outputs: []string{"program"}, links: []string{"one"}}.link(dir)
	if err == nil || !strings.Contains(err.Error(), "linking one: ") || !strings.Contains(err.Error(), "remove the file") {
		t.Errorf("link() = %v", err)
	}
	if got := filetest.Read(t, filepath.Join(dir, "one")); got != "a file" {
		t.Errorf("content of the file = %q", got)
	}
}

// published is a Registry of programs in a folder.
type published struct {
	dir      string
	err      error
	programs map[string]string
}

func (p *published) Programs(_ context.Context, _ artifact.Report, _ string, programs map[string]string) (string, error) {
	p.programs = programs
	return p.dir, p.err
}

func TestPublishedPrograms(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // The published programs are for Linux.
	}
	p, cached := cachedPrograms(t, jaeger)
	registry := &published{dir: "/published"}
	p.Published = registry
	controlPlane, err := p.Paths(t.Context(), table.Named(table.ControlPlane), nil)
	if err != nil || controlPlane[table.APIServer] != "/published/assets/kube-apiserver" || controlPlane[table.Etcd] != "/published/assets/etcd" {
		t.Errorf("Paths(control plane) = %+v, %v; want the published programs", controlPlane, err)
	}
	versions, err := p.source.Versions()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"assets/etcd":                    "registry.k8s.io/etcd:" + versions.EtcdTag,
		"assets/kube-apiserver":          "registry.k8s.io/kube-apiserver:" + versions.Kubernetes,
		"assets/kube-controller-manager": "registry.k8s.io/kube-controller-manager:" + versions.Kubernetes,
		"assets/kube-scheduler":          "registry.k8s.io/kube-scheduler:" + versions.Kubernetes,
	}
	if diff := cmp.Diff(want, registry.programs); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	if paths, err := p.Paths(t.Context(), table.Named(table.CertManager), nil); err != nil || paths[table.CertManagerWebhook] != "/published/webhook" {
		t.Errorf("Paths(cert-manager) = %+v, %v; want the published programs", paths, err)
	}
	if paths, err := p.Paths(t.Context(), table.Named(table.Jaeger), nil); err != nil || !strings.HasPrefix(paths[table.Jaeger], cached) {
		t.Errorf("Paths(jaeger) = %s, %v; want the cached build", paths, err)
	}

	var said []string
	registry.err = errors.New("no response in time")
	_, err = p.Paths(t.Context(), table.Named(table.ControlPlane), func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) })
	if err == nil || !strings.Contains(err.Error(), "install Go") || !strings.Contains(strings.Join(said, ";"), "no response in time") {
		t.Errorf("ControlPlane() without a registry = %v with progress %q; want to build", err, said)
	}
	p.PublishedOnly = true
	if _, err := p.Paths(t.Context(), table.Named(table.Jaeger), nil); !errors.Is(err, registry.err) {
		t.Errorf("Paths(jaeger) with PublishedOnly = %v, want %v though a build is in the cache", err, registry.err)
	}
	p.PublishedOnly = false
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Paths(ctx, table.Named(table.ControlPlane), nil); !errors.Is(err, registry.err) {
		t.Errorf("Paths() after cancellation = %v, want %v", err, registry.err)
	}
}

// Published programs in the cache are neither missing nor leftovers.
func TestPublishedProgramsInTheCache(t *testing.T) {
	t.Parallel()
	b := &Builder{Root: repository, Cache: t.TempDir()}
	dir, programs, err := b.publishedFolder(kubernetes)
	if err != nil {
		t.Fatal(err)
	}
	for _, missing := range []bool{true, false} {
		if names, _ := b.Missing(ProgramParts, Program{}); slices.Contains(names, "kubernetes") != missing {
			t.Errorf("Missing() = %q, want kubernetes: %t", names, missing)
		}
		for _, program := range programs {
			filetest.Put(t, dir, program, "")
		}
	}
	if names, _ := b.Missing(SourceParts, Program{}); !slices.Contains(names, "kubernetes") {
		t.Errorf("Missing() for images = %q, want kubernetes, which must be built", names)
	}
	keys, err := b.neededKeys()
	if err != nil || !keys[cache.KeyOf(dir)] {
		t.Errorf("neededKeys() = %v, %v; want %s", keys, err, cache.KeyOf(dir))
	}
}

// Programs from a mirror with pins of its own have keys of their own, so that they are neither
// missing nor leftovers either.
func TestPublishedProgramsByPins(t *testing.T) {
	t.Parallel()
	b := &Builder{Root: repository, Cache: t.TempDir()}
	folders := map[string]string{}
	var lines strings.Builder
	for i, reference := range artifact.References() {
		fmt.Fprintf(&lines, "%s: sha256:%064d\n", reference, i)
	}
	for name, pins := range map[string]string{"no mirror": "", "pins": filetest.Put(t, t.TempDir(), "pins.yaml", lines.String())} {
		if pins != "" {
			mirror, err := artifact.NewMirror("mirror.example.com", pins)
			if err != nil {
				t.Fatal(err)
			}
			b.Mirror = mirror
		}
		dir, _, err := b.publishedFolder(fromTable(table.Named(table.CertManager)))
		if err != nil {
			t.Fatal(err)
		}
		images, err := b.published(fromTable(table.Named(table.CertManager)))
		if err != nil {
			t.Fatal(err)
		}
		if want := artifact.NewRegistry(b.Cache, "", b.Mirror).ProgramsFolder(table.CertManager, images); dir != want {
			t.Errorf("%s: publishedFolder() = %s, want the folder of the registry, %s", name, dir, want)
		}
		folders[dir] = name
		b.Mirror = artifact.Mirror{}
	}
	if len(folders) != 2 {
		t.Errorf("folders = %q, want one for each set of digests", folders)
	}
}
