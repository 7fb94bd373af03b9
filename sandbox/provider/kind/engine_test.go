package kind

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/engine"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// fakeEngine is a container engine with some images, in the engine and in the node. It returns what lists its calls.
func fakeEngine(t *testing.T, name, inEngine, inNode string) (calls func() string) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "calls")
	script := fmt.Sprintf(`#!/bin/sh
echo "$*" >>%[1]s
case "$*" in
"image inspect --format {{.Id}} %[2]s") echo sha256:1;;
"image inspect"*) exit 1;;
*"images list --quiet") echo '%[3]s';;
*"images import"*|load) while read -r line; do :; done; if [ -e %[1]s.full ]; then echo 'no space left on device' >&2; exit 1; fi;;
*) exit 1;;
esac
`, log, inEngine, inNode)
	if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	return func() string {
		data, err := os.ReadFile(log)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return string(data)
	}
}

// onEngine returns a cluster on an engine of the PATH, which fetches random images.
func onEngine(t *testing.T, name string) *Cluster {
	t.Helper()
	s := &session.Session{
		Options: session.Options{Name: "a", Images: "auto"}, Dir: state.Dir{Path: t.TempDir()},
		ImageSource: images{}, Builder: &build.Builder{Cache: t.TempDir()},
	}
	c, err := newCluster(s, &engine.Engine{Name: name, Host: &engine.Host{Architecture: "amd64"}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// said collects reports. Steps may call it at the same time.
func said(into *strings.Builder) provider.Report {
	var mu sync.Mutex
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(into, format+"\n", args...)
	}
}

// The image of the node is loaded into the engine, unless it has it.
func TestDeliverTheNode(t *testing.T) {
	for _, name := range []string{"docker", "podman"} {
		for image, want := range map[string]string{"registry.test/control plane:v1": name + " has it\n", "other": name + " loaded it\n"} {
			calls := fakeEngine(t, name, image, "")
			c := onEngine(t, name)
			var text strings.Builder
			part := component.Named(component.ControlPlane)
			if err := c.Fetch(t.Context(), part, func(string, ...any) {}); err != nil {
				t.Fatal(err)
			}
			c.pods.SetImages(part.Name, artifact.New(c.Images(part.Name)[0].Content(), "registry.test/node:v1"))
			if image != "other" {
				calls = fakeEngine(t, name, "registry.test/node:v1", "")
			}
			if err := c.Deliver(t.Context(), part, said(&text)); err != nil || text.String() != want {
				t.Errorf("Deliver() = %v, report %q; want %q", err, text.String(), want)
			}
			if loaded := strings.Contains(calls(), "load\n"); loaded != (image == "other") {
				t.Errorf("the calls of %s: %q", name, calls())
			}
		}
	}
}

// Only images that the node does not have are loaded into it. Its list is read once for all
// components, which are delivered at the same time.
func TestDeliverIntoTheNode(t *testing.T) {
	calls := fakeEngine(t, "podman", "none", "registry.test/jaeger:v1")
	c := onEngine(t, "podman")
	var text strings.Builder
	report := said(&text)
	var group sync.WaitGroup
	for _, name := range []string{component.Jaeger, component.CertManager} {
		group.Go(func() {
			part := component.Named(name)
			if err := errors.Join(c.Fetch(t.Context(), part, func(string, ...any) {}), c.Deliver(t.Context(), part, report)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	group.Wait()
	if lists, imports := strings.Count(calls(), "images list"), strings.Count(calls(), "images import"); lists != 1 || imports != 1 {
		t.Errorf("%d lists and %d imports, want one each: %q", lists, imports, calls())
	}
	if got := text.String(); !strings.Contains(got, "the node has them\n") || !strings.Contains(got, "1 loaded\n") {
		t.Errorf("report %q", got)
	}
}

// A full disk, or a node that is gone, is the error of the step.
func TestDeliverFails(t *testing.T) {
	calls := fakeEngine(t, "podman", "none", "")
	full := filepath.Join(os.Getenv("PATH"), "calls.full")
	if err := os.WriteFile(full, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := onEngine(t, "podman")
	for _, name := range []string{component.ControlPlane, component.Jaeger} {
		part := component.Named(name)
		if err := c.Fetch(t.Context(), part, func(string, ...any) {}); err != nil {
			t.Fatal(err)
		}
		c.pods.SetImages(name, artifact.New(c.Images(name)[0].Content(), "registry.test/x:v1"))
		if err := c.Deliver(t.Context(), part, func(string, ...any) {}); err == nil || !strings.Contains(err.Error(), "no space left on device") {
			t.Errorf("Deliver(%s) = %v, want the engine's error after %q", name, err, calls())
		}
	}
	t.Setenv("PATH", t.TempDir())
	c = onEngineWithout(t)
	if err := c.Deliver(t.Context(), component.Named(component.Jaeger), func(string, ...any) {}); err == nil {
		t.Error("Deliver() without an engine returned no error")
	}
}

// onEngineWithout returns a cluster whose engine is no longer installed.
func onEngineWithout(t *testing.T) *Cluster {
	t.Helper()
	c := onEngine(t, "podman")
	c.pods.SetImages(component.Jaeger, artifact.New(nil, "registry.test/x:v1"))
	return c
}

// Without an engine, nothing is built for its test, and the error says what to install.
func TestFindWithoutAnEngine(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for _, provider := range []string{"auto", "podman"} {
		s := &session.Session{Options: session.Options{Name: "a", Provider: provider, Source: "../../.."}, Dir: state.Dir{Path: t.TempDir()}}
		if _, err := Find(t.Context(), s); err == nil || !strings.Contains(err.Error(), "not installed") {
			t.Errorf("Find() with --provider=%s = %v, want an error", provider, err)
		}
		if entries, err := os.ReadDir(s.Builder.Cache); err == nil && len(entries) > 0 {
			t.Errorf("the cache has %v", entries)
		}
	}
}

// A sandbox that is up keeps its name, whatever the options say; a new one gets theirs.
func TestNameOfTheCluster(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for record, want := range map[string]string{"": "b", "a": "a"} {
		s := &session.Session{Options: session.Options{Name: "b"}, Record: state.Record{Name: record, Provider: "docker"}, Dir: state.Dir{Path: t.TempDir()}}
		c, err := Attach(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := os.Getenv("KIND_EXPERIMENTAL_DOCKER_NETWORK"); got != want {
			t.Errorf("the network of the sandbox %q is %q, want %q", record, got, want)
		}
		// Everything that needs no API server works without one.
		if err := c.Reach(t.Context()); err != nil {
			t.Errorf("Reach() = %v", err)
		}
		c.Close()
		status := provider.Status{State: provider.StateDown}
		if err := c.Status(t.Context(), &status); err != nil || status.State != provider.StateDown || !strings.Contains(status.Message, "`sandbox up` repairs it") {
			t.Errorf("Status() without an engine = %+v, %v", status, err)
		}
	}
}

// The logs of Pods need an API server. The node's logs may still be read.
func TestLogsWithoutAnAPIServer(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	c := onEngine(t, "podman")
	err := c.Logs(t.Context(), &strings.Builder{}, component.Jaeger, provider.LogOptions{})
	if err == nil {
		t.Error("Logs() without an API server returned no error")
	}
	if err := c.Logs(t.Context(), &strings.Builder{}, "kubelet", provider.LogOptions{}); err == nil || errors.Is(err, provider.ErrLogOption) {
		t.Errorf("Logs(kubelet) without an engine = %v", err)
	}
}
