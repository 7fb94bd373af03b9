package build

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	table "github.com/operator-tracing/sandbox/sandbox/component"

	"github.com/operator-tracing/sandbox/sandbox/artifact/debian"
	"github.com/operator-tracing/sandbox/sandbox/artifact/internal/filetest"
)

func TestNodeWithoutBootstrapTools(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	b := &Builder{Cache: t.TempDir(), Arch: "amd64"}
	_, err := b.buildRootFS(t.Context())
	if err == nil || !strings.Contains(err.Error(), "scripts/prerequisites.sh") || !strings.Contains(err.Error(), "--images=registry") {
		t.Errorf("buildRootFS() = %v, want the remedies", err)
	}
	if _, err := NewSource(b).Images(t.Context(), table.ControlPlane, nil); err == nil || !strings.Contains(err.Error(), "needs debootstrap") {
		t.Errorf("Node() = %v; want the cause before anything is built", err)
	}
	if err := (*Builder)(nil).CanBuildNode(); err == nil {
		t.Error("CanBuildNode() without a builder returned nil")
	}

	// A root filesystem in the cache needs none of them.
	for _, name := range debian.Outputs {
		path := filepath.Join(b.rootFSFolder(), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.CanBuildNode(); err != nil {
		t.Errorf("CanBuildNode() with a root filesystem in the cache = %v", err)
	}
}

// Without debootstrap, mmdebstrap writes the root filesystem. Scripts stand in for the programs:
// each writes its arguments to a file.
func TestRootFSWithMmdebstrap(t *testing.T) {
	bin := t.TempDir()
	calls := filepath.Join(bin, "calls")
	for name, script := range map[string]string{
		"mmdebstrap": `echo "$SOURCE_DATE_EPOCH $*" >>"` + calls + `"; for a in "$@"; do case $a in *download*) status=${a#*\'}; echo data >"${status%\'}";; *.tar) echo root >"$a";; esac; done`,
		"newuidmap":  "true",
		"apt-get":    "echo http://mirror.example.test/debian bookworm main",
		"dpkg-query": `[ -s "${1#--admindir=}/status" ] && printf 'a=1\nb=2\n'`,
	} {
		path := filetest.Put(t, bin, name, "#!/bin/sh\n"+script+"\n")
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, tool := range []string{"env", "sh"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(bin, tool)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	b := &Builder{Cache: t.TempDir(), Arch: "arm64"}
	for range 2 { // The second one finds it in the cache.
		root, err := b.buildRootFS(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := filetest.Read(t, root.archive); got != "root\n" || root.packages != "a=1,b=2" {
			t.Errorf("buildRootFS() = %+v with archive %q", root, got)
		}
		if got := filetest.Names(t, filepath.Dir(root.archive)); !slices.Equal(got, []string{".sizes", "packages", "rootfs.tar"}) {
			t.Errorf("the folder has %q", got)
		}
	}
	got := filetest.Read(t, calls)
	if strings.Count(got, "\n") != 1 {
		t.Errorf("calls of mmdebstrap:\n%s\nwant one", got)
	}
	for _, want := range []string{"0 --variant=minbase --arch=arm64 ", "nftables", "path-exclude=/usr/share/doc/*", " bookworm /", "rootfs.tar http://mirror.example.test/debian\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("arguments of mmdebstrap = %s, want %q", got, want)
		}
	}
}
