package embedded

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/operator-tracing/sandbox/e2e/faults/rig"
)

// TestUpFromABundle creates a bundle of programs, and brings the sandbox up from it with an empty
// cache and without Go, the sources and a network.
func TestUpFromABundle(t *testing.T) {
	s := newSandbox(t)
	file := filepath.Join(t.TempDir(), "sandbox.tar")
	if out, err := s.Run(t.Context(), upLimit, "bundle", "create", file); err != nil {
		t.Fatalf("bundle create: %v\n%s", err, out)
	}
	proxy, connections := rig.ClosedProxy(t)
	s.Env = append(s.Env, "GOPROXY=off", "PATH="+rig.WithoutGo(t), "XDG_CACHE_HOME="+t.TempDir())
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		s.Env = append(s.Env, name+"="+proxy)
	}
	nowhere := "--source=" + t.TempDir()
	s.WantExit(2, nil, []string{"up", nowhere, "--cluster=kind", "--bundle=" + file}, "--bundle="+file, "--cluster=kind")
	s.wantNoProcess()

	if out, err := s.Run(t.Context(), upLimit, "up", nowhere, "--bundle="+file); err != nil {
		t.Fatalf("up: %v\n%s", err, out)
	}
	s.wantWhole()
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections to the proxy, want none", n)
	}
	if record := s.Record(); record.Images != "bundle" || record.Bundle != file {
		t.Errorf("images from %q, bundle %q", record.Images, record.Bundle)
	}

	// The sandbox records the bundle, and repairs itself from it.
	if out, err := s.Run(t.Context(), downLimit, "stop", "jaeger"); err != nil {
		t.Fatalf("stop jaeger: %v\n%s", err, out)
	}
	if out, err := s.Run(t.Context(), upLimit, "up", nowhere); err != nil {
		t.Fatalf("up without --bundle: %v\n%s", err, out)
	}
	s.wantWhole()
	if err := os.Rename(file, file+".away"); err != nil {
		t.Fatal(err)
	}
	s.WantRefusal(nil, []string{"up", nowhere}, file, "--bundle", "--images")
	s.wantWhole()
}
