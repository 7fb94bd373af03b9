package embedded

import (
	"os"
	"path/filepath"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/provider"
)

// TestMistakes makes mistakes with a running sandbox. Each ends in one line with a remedy, and
// nothing is lost. The user's own KUBECONFIG names a missing file, which must not matter.
func TestMistakes(t *testing.T) {
	s := newSandbox(t, "KUBECONFIG=/none/kubeconfig")
	s.up()
	before := s.wantWhole()
	s.WantRefusal(nil, []string{"trace", "head-sampel"}, "default/head-sampel", "did you mean default/head-sample?")
	s.WantRefusal(nil, []string{"trace", "defautl/head-sample"}, `"defautl"`)
	s.WantExit(2, nil, []string{"logs", "jeager"}, "did you mean jaeger?")
	s.WantExit(2, nil, []string{"stauts"}, "did you mean status?")
	s.WantExit(2, nil, []string{"up", "--otlp-grcp-port=1"}, "did you mean --otlp-grpc-port")
	config := filepath.Join(t.TempDir(), "options.yaml")
	if err := os.WriteFile(config, []byte("# Options.\ntimeuot: 3m\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.WantExit(2, nil, []string{"up", "--config=" + config}, config+":2", "did you mean timeout?")

	kubeconfig := filepath.Join(s.Dir, "kubeconfig")
	if err := os.Rename(kubeconfig, kubeconfig+".lost"); err != nil {
		t.Fatal(err)
	}
	s.WantRefusal(nil, []string{"trace", "head-sample"}, kubeconfig, "no such file", " up", "to write it again")
	if status, code := s.Status(); code != 1 || status.State != provider.StateDegraded {
		t.Errorf("status without a kubeconfig: exit code %d, %+v", code, status)
	}
	s.up()
	if after := s.wantWhole(); after["etcd"] != before["etcd"] || after["operator"] != before["operator"] {
		t.Errorf("processes %v before the mistakes, %v after them", before, after)
	}
	s.wantTrace("after-the-mistakes")

	heads := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "heads.dummy.example.com"}}
	if err := s.client().Delete(t.Context(), heads); err != nil {
		t.Fatal(err)
	}
	s.wait("the end of the kind Head", func() bool {
		return apierrors.IsNotFound(s.client().Get(t.Context(), client.ObjectKeyFromObject(heads), heads))
	})
	s.WantRefusal(nil, []string{"trace", "head-sample"}, "serves no such kind", " up", "to repair the sandbox")
	s.up()
	s.wantTrace("after-the-kind-was-lost")
}

// TestFolderOfSomebodyElse uses a folder that does not belong to a sandbox. No command writes to
// it, and down removes nothing.
func TestFolderOfSomebodyElse(t *testing.T) {
	s := newSandbox(t)
	folder := t.TempDir()
	work := filepath.Join(folder, "main.go")
	if err := os.WriteFile(work, []byte("package main\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"up", "status", "down"} {
		s.WantRefusal(nil, []string{command, "--state-dir=" + folder}, folder, "main.go", "not a sandbox folder", "--state-dir")
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

// TestUselessCacheAsRoot uses a read-only cache and a full one. up reports that before it starts.
// `build` reports a read-only cache, too.
func TestUselessCacheAsRoot(t *testing.T) {
	mounted := mount(t, "size=10m")
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	empty := []string{"XDG_CACHE_HOME=" + mounted, "GOCACHE=" + filepath.Join(cache, "go-build")}
	s := newSandbox(t)
	s.WantRefusal(empty, []string{"up"}, "10 MiB free in the cache folder", mounted, "free some space, or set XDG_CACHE_HOME to another folder")
	s.WantRefusal(empty, []string{"doctor"}, "no sandbox of the requested kind can run here")
	s.remount(mounted, "ro")
	s.WantRefusal(empty, []string{"up"}, mounted, "read-only file system", "make it writable, or set XDG_CACHE_HOME to another folder")
	s.WantRefusal(empty, []string{"build", "--cluster=embedded"}, mounted, "read-only file system", "XDG_CACHE_HOME")
	s.wantNoProcess()
	if entries, err := os.ReadDir(filepath.Join(s.Dir, "diagnostics")); err == nil {
		t.Errorf("a refusal kept diagnostics: %v", entries)
	}
}
