package faults

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/e2e/faults/rig"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// TestUpFromABundle creates a bundle, and starts the sandbox from it as on a machine without Go,
// sources, a cache and a network. A proxy that must not receive requests replaces the network.
func TestUpFromABundle(t *testing.T) {
	s := newSandbox(t)
	file := s.bundle()
	s.Env = append(s.Env, "SANDBOX_IMAGES=", "GOPROXY=off", "PATH="+rig.WithoutGo(t), "XDG_CACHE_HOME="+t.TempDir())
	proxy, asked := rig.ClosedProxy(t)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		s.Env = append(s.Env, name+"="+proxy)
	}
	nowhere := "--source=" + t.TempDir()

	half := filepath.Join(t.TempDir(), "half.tar")
	copyHalf(t, file, half)
	s.WantRefusal(nil, []string{"up", nowhere, "--bundle=" + half}, half, "truncated or modified")
	wantNothingLeft(t)
	if record := s.Record(); record.Name != "" {
		t.Errorf("a refused bundle left the record %+v", record)
	}

	out, err := s.Run(t.Context(), upLimit, "up", nowhere, "--bundle="+file)
	if err != nil {
		t.Fatalf("up: %v\n%s", err, out)
	}
	s.wantOutcome(out, "created")
	s.wantNoPulls()
	if status := s.WantUp(); status.Images != "bundle" {
		t.Errorf("images from %q", status.Images)
	}
	if asked.Load() != 0 {
		t.Errorf("the proxy received %d requests", asked.Load())
	}

	// The sandbox records its sources, and repairs itself from them.
	s.engine("stop", node)
	out, err = s.Run(t.Context(), upLimit, "up", nowhere)
	if err != nil {
		t.Fatalf("up without naming the bundle: %v\n%s", err, out)
	}
	s.wantOutcome(out, "restarted")
	if err := os.Rename(file, file+".away"); err != nil {
		t.Fatal(err)
	}
	s.WantRefusal(nil, []string{"up", nowhere}, file, "--bundle", "--images")
	s.WantUp()
}

// bundle creates a bundle of the images that CI's environment names, and returns its path.
func (s *sandbox) bundle() string {
	s.T.Helper()
	file := filepath.Join(s.T.TempDir(), "sandbox.tar")
	if out, err := s.Run(s.T.Context(), upLimit, "bundle", "create", file); err != nil {
		s.T.Fatalf("bundle create: %v\n%s", err, out)
	}
	return file
}

// wantNoPulls fails the test if the node pulled an image: neither its containerd nor the kubelet
// may have tried it.
func (s *sandbox) wantNoPulls() {
	s.T.Helper()
	log, err := s.Run(s.T.Context(), downLimit, "logs", "containerd", "--tail=-1")
	if err != nil || !strings.Contains(log, "containerd") {
		s.T.Fatalf("logs containerd: %v\n%s", err, log)
	}
	for line := range strings.Lines(log) {
		if strings.Contains(line, "PullImage") {
			s.T.Errorf("the node pulled: %s", line)
		}
	}
	reasons := strings.Fields(s.engine("exec", node, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf",
		"get", "events", "--all-namespaces", "--output=jsonpath={.items[*].reason}"))
	count := map[string]int{}
	for _, reason := range reasons {
		count[reason]++
	}
	if count["Pulled"] == 0 || count["Pulling"] > 0 || count["Failed"] > 0 {
		s.T.Errorf("events %v: want Pulled, which the kubelet also reports for existing images, and no Pulling", count)
	}
}

func copyHalf(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data[:len(data)/2], 0o644); err != nil {
		t.Fatal(err)
	}
}

// ownCache returns a cache folder for a test, with all builds but without pulled images.
func ownCache(t *testing.T) (environment []string) {
	t.Helper()
	shared, err := state.CachePath()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	own := filepath.Join(folder, filepath.Base(shared))
	if err := os.Mkdir(own, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bin", "layers", "rootfs"} {
		if err := os.Symlink(filepath.Join(shared, name), filepath.Join(own, name)); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"XDG_CACHE_HOME=" + folder, "GOCACHE=" + goCache(t)}
}
