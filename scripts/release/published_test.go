package main

import (
	"context"
	"debug/buildinfo"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
)

const adopter = `package main

import (
	"context"
	"os"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/tracing"
	"github.com/operator-tracing/sandbox/operator/tracing/provider"
)

func main() {
	traces, err := provider.New(context.Background(), provider.WithServiceName("adopter"))
	if err != nil {
		panic(err)
	}
	var r reconcile.Reconciler = reconcile.Func(func(context.Context, reconcile.Request) (reconcile.Result, error) {
		return reconcile.Result{}, nil
	})
	if tracing.WrapReconciler(&corev1.ConfigMap{}, r, traces.Options()...) == nil {
		os.Exit(1)
	}
}
`

// TestPublished packs all modules as a release does, and uses them as others do, in a folder without a workspace. It compiles
// the library's and the sandbox's dependencies if Go's cache has none of them.
func TestPublished(t *testing.T) {
	if testing.Short() {
		t.Log("this test compiles two programs; scripts/published.sh runs it")
		return
	}
	scratch := t.TempDir()
	tree, proxy := filepath.Join(scratch, "tree"), filepath.Join(scratch, "proxy")
	if err := copyTree(t.Context(), root, tree); err != nil {
		t.Fatal(err)
	}
	// Another content needs another version: the module cache keeps what it has of a version.
	version := "v0.0.1-test.h" + mustGit(t, tree, "rev-parse", "--short=12", "HEAD")
	t.Cleanup(func() { uncache(t, version) })
	if err := pack(t.Context(), tree, version, proxy); err != nil {
		t.Fatal(err)
	}
	outside := user{folder: filepath.Join(scratch, "outside"), proxy: proxy}
	if err := os.Mkdir(outside.folder, 0o755); err != nil {
		t.Fatal(err)
	}

	t.Run("library", func(t *testing.T) {
		write(t, filepath.Join(outside.folder, "main.go"), adopter)
		outside.run(t, "go", "mod", "init", "example.com/adopter")
		outside.run(t, "go", "get", repository+"/operator/tracing@"+version, repository+"/operator/tracing/provider@"+version)
		outside.run(t, "go", "build", "-o", "adopter", ".")
		outside.run(t, "./adopter")
		oldest := required(t, filepath.Join(root, "operator/tracing/go.mod"), "sigs.k8s.io/controller-runtime")
		if got := required(t, filepath.Join(outside.folder, "go.mod"), "sigs.k8s.io/controller-runtime"); got != oldest {
			t.Errorf("the adopter gets controller-runtime %s, want the oldest supported version, %s", got, oldest)
		}
	})
	t.Run("sandbox", func(t *testing.T) {
		outside.run(t, "go", "install", repository+"/sandbox@"+version)
		program := filepath.Join(outside.folder, "bin", "sandbox")
		outside.run(t, program, "--help")
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := info.Main, (module.Version{Path: repository, Version: version}); got.Path != want.Path || got.Version != want.Version {
			t.Errorf("the program is of %s %s, want %s", got.Path, got.Version, want)
		}
	})
}

// user has a folder outside of the workspace.
type user struct{ folder, proxy string }

func (u user) run(t *testing.T, name string, args ...string) {
	t.Helper()
	configured, err := exec.CommandContext(t.Context(), "go", "env", "GOPROXY").Output()
	if err != nil {
		t.Fatal(err)
	}
	// When time is up, the command ends before the test does. Otherwise, it would continue after the test.
	ctx := t.Context()
	if deadline, ok := t.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-30*time.Second))
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // The go command then ends its compilers.
	cmd.WaitDelay = 10 * time.Second
	cmd.Dir = u.folder
	cmd.Env = append(os.Environ(),
		"GOWORK=off", "GOFLAGS=-mod=mod -trimpath", "CGO_ENABLED=0", "GOBIN="+filepath.Join(u.folder, "bin"),
		"GOPROXY=file://"+u.proxy+","+strings.TrimSpace(string(configured)),
		"GONOSUMDB="+repository, "GOPRIVATE=", "GONOPROXY=", "OTEL_TRACES_EXPORTER=none")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("running %s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func required(t *testing.T, name, modulePath string) string {
	t.Helper()
	for _, r := range parseModule(t, name).Require {
		if r.Mod.Path == modulePath {
			return r.Mod.Version
		}
	}
	t.Fatalf("%s does not require %s", name, modulePath)
	return ""
}

// uncache removes a version of the modules from the module cache. Its folders are read-only.
func uncache(t *testing.T, version string) {
	t.Helper()
	out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Error(err)
		return
	}
	cache := strings.TrimSpace(string(out))
	for _, folder := range modules {
		name := path.Join(repository, folder)
		files, err := filepath.Glob(filepath.Join(cache, "cache", "download", name, "@v", version+".*"))
		if err != nil {
			t.Error(err)
		}
		for _, file := range append(files, filepath.Join(cache, name+"@"+version)) {
			_ = filepath.WalkDir(file, func(p string, entry fs.DirEntry, err error) error {
				if err != nil || !entry.IsDir() {
					return err
				}
				return os.Chmod(p, 0o755)
			})
			if err := os.RemoveAll(file); err != nil {
				t.Error(err)
			}
		}
	}
}
