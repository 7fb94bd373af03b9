package doctor

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/engine"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// here returns a sandbox that was never up, in folders that do not exist.
func here(tb testing.TB) Subject {
	tb.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		tb.Fatal(err)
	}
	folder := tb.TempDir()
	return Subject{
		Wanted:   Wanted{Cluster: "auto", Provider: "auto", Images: "auto", Fresh: true},
		StateDir: filepath.Join(folder, "deep", "state"), Cache: filepath.Join(folder, "cache"),
		Builder:  &build.Builder{Root: root, Cache: filepath.Join(folder, "cache")},
		Operator: build.Program{Module: ".", Main: "./operator", Sources: []string{"operator", "config/settings"}},
	}
}

// BenchmarkGather is the quick part, which runs before each up. The goal is 100 ms.
func BenchmarkGather(b *testing.B) {
	subject := here(b)
	for b.Loop() {
		Gather(b.Context(), subject, Slow{})
	}
}

func TestGatherWritesNothing(t *testing.T) {
	subject := here(t)
	facts := Gather(t.Context(), subject, Slow{})
	if facts.System.OS != runtime.GOOS || facts.System.Kernel == "" || facts.System.Processors < 1 {
		t.Errorf("System = %+v", facts.System)
	}
	if facts.Memory.Total < 100*mib || facts.Memory.Available == 0 || facts.Limits.OpenFiles == 0 {
		t.Errorf("Memory = %+v, Limits = %+v", facts.Memory, facts.Limits)
	}
	if len(facts.Ports) != 5 || len(facts.Disks) < 2 || facts.Disks[0].Free == 0 || facts.Disks[0].Err != nil {
		t.Errorf("Ports = %+v, Disks = %+v", facts.Ports, facts.Disks)
	}
	if !strings.HasPrefix(facts.Go.Version, "go1.") || !strings.HasPrefix(facts.Go.Wanted, "go1.") {
		t.Errorf("Go = %+v", facts.Go)
	}
	if diff := cmp.Diff([]string{"kubernetes", "kwok", "cert-manager", "jaeger", "operator", "cert-manager-chart"}, facts.Missing[Embedded]); diff != "" {
		t.Errorf("Missing with an empty cache (-want +got):\n%s", diff)
	}
	if facts.Engine.Probed || len(facts.Registries) > 0 {
		t.Errorf("Engine = %+v and Registries = %+v, want neither probed", facts.Engine, facts.Registries)
	}
	if _, err := os.Stat(subject.StateDir); !os.IsNotExist(err) {
		t.Errorf("Stat(state folder) = %v, want that it does not exist", err)
	}
}

func TestGatherProbesEngineAndRegistries(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "podman"), []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder)
	host := &engine.Host{InotifyInstances: 7, InotifyWatches: 8, Free: 9}
	facts := Gather(t.Context(), here(t), Slow{
		Engine: func(context.Context) (*engine.Engine, error) {
			return &engine.Engine{Name: "podman", Host: host}, nil
		},
		Registries: []string{"good.example", "bad.example"},
		Answers: func(ctx context.Context, host string) error {
			if _, bounded := ctx.Deadline(); !bounded {
				t.Errorf("context of the request to %s has no deadline", host)
			}
			if host == "bad.example" {
				return errors.New("no answer")
			}
			return nil
		},
	})
	if e := facts.Engine; !e.Probed || e.Name != "podman" || e.Host != host || e.Err != nil {
		t.Errorf("Engine = %+v, want podman with its host", e)
	}
	if facts.Limits.InotifyInstances != 7 || facts.Limits.InotifyWatches != 8 {
		t.Errorf("Limits = %+v, want the limits of the engine's machine", facts.Limits)
	}
	if last := facts.Disks[len(facts.Disks)-1]; last.What != EngineDisk || last.Free != 9 {
		t.Errorf("Disks = %+v, want the engine's last", facts.Disks)
	}
	if r := facts.Registries; len(r) != 2 || r[0].Err != nil || r[1].Host != "bad.example" || r[1].Err == nil {
		t.Errorf("Registries = %+v, want only bad.example with an error", r)
	}
	if facts.Go.Path != "" {
		t.Errorf("Go = %+v, want no path", facts.Go)
	}
}

func TestPorts(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	taken := listener.Addr().(*net.TCPAddr).Port
	subject := here(t)
	subject.Ports = component.Ports{component.UI: taken}
	if p := lookAtPorts(t.Context(), subject); !p[0].Asked || p[0].Number != taken || p[0].Err == nil {
		t.Errorf("requested port in use: %+v, want an error", p)
	}
	subject.Own = component.Ports{component.UI: taken, component.Query: 1, component.OTLPGRPC: 2, component.OTLPHTTP: 3, component.Thrift: 4}
	if p := lookAtPorts(t.Context(), subject); len(p) > 0 {
		t.Errorf("own ports: %+v, want none", p)
	}
}

func TestProxyVariables(t *testing.T) {
	for _, name := range proxyVariables {
		t.Setenv(name, "")
	}
	if p := lookAtProxy(); len(p.Variables) > 0 || p.Err != nil {
		t.Errorf("lookAtProxy() = %+v, want no variables", p)
	}
	for value, fine := range map[string]bool{
		"http://proxy.example:3128": true, "proxy.example:3128": true, "http://user:secret@proxy.example": true,
		"http://": false, "http://user:secret@host:port": false, "://": false, "ftp://proxy.example": false, "socks5://proxy.example:1080": true,
	} {
		t.Setenv("https_proxy", value)
		p := lookAtProxy()
		if diff := cmp.Diff([]string{"https_proxy"}, p.Variables); diff != "" || (p.Err == nil) != fine {
			t.Errorf("lookAtProxy() with %q = %+v, want valid: %t", value, p, fine)
		}
		if p.Err != nil && strings.Contains(p.Err.Error(), "secret") {
			t.Errorf("lookAtProxy() with %q: error with the password: %v", value, p.Err)
		}
	}
}

func TestLookAtDisk(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	d := lookAtDisk(StateDisk, filepath.Join(file, "state"), state.Remedy)
	if d.Err == nil || !strings.Contains(d.Err.Error(), file) || !strings.Contains(d.Err.Error(), "not a directory") {
		t.Errorf("lookAtDisk below a file = %+v, want an error that names the file", d)
	}
	if d := lookAtDisk(StateDisk, "/", state.Remedy); d.Free == 0 && d.Err == nil {
		t.Errorf("lookAtDisk of the root = %+v, want free space or an error", d)
	}
}

func TestOSName(t *testing.T) {
	for text, want := range map[string]string{
		"NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n": "Debian GNU/Linux 12 (bookworm)", "PRETTY_NAME='A'": "A", "PRETTY_NAME=B\n": "B", "": "",
	} {
		if got := osName(text); got != want {
			t.Errorf("osName(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestCgroupMemory(t *testing.T) {
	for _, test := range []struct {
		file, content string
		want          uint64
	}{
		{"memory.max", "max\n", 0}, {"memory.max", "4294967296\n", 4 << 30},
		{"memory/memory.limit_in_bytes", "9223372036854771712\n", 0}, {"memory/memory.limit_in_bytes", "1073741824\n", 1 << 30},
		{"other", "1\n", 0},
	} {
		root := t.TempDir()
		path := filepath.Join(root, test.file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(test.content), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := cgroupMemory(root); got != test.want {
			t.Errorf("cgroupMemory with %s %q = %d, want %d", test.file, test.content, got, test.want)
		}
	}
}
