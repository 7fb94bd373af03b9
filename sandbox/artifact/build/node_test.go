package build

import (
	"archive/tar"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/operator-tracing/sandbox/sandbox/artifact/internal/filetest"
	"github.com/operator-tracing/sandbox/sandbox/artifact/layer"
)

// elfHeader is a static program, as far as package elf reads it: a header without sections.
var elfHeader = "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 13) + "\x01" + strings.Repeat("\x00", 43)

// The image that containerd imports has a mark with the name of the folder in the node image.
func TestUnpackedLayer(t *testing.T) {
	t.Parallel()
	archive := filepath.Join(t.TempDir(), "debian-aaaabbbbccccdddd", "rootfs.tar")
	filetest.Put(t, filepath.Dir(archive), "rootfs.tar", "")
	if err := layer.Write(archive, []layer.File{{Path: "usr/sbin/nft", Content: elfHeader}}); err != nil {
		t.Fatal(err)
	}
	parts := nodeParts{
		dirs:   map[string]string{kubernetes.name: "/bin/kubernetes-0123456789abcdef", coreDNS.name: "/bin/coredns-fedcba9876543210"},
		rootFS: rootFS{archive: archive},
	}
	b := &Builder{Cache: t.TempDir(), Arch: "amd64"}
	for _, test := range []struct {
		layer unpackedLayer
		name  string
		files map[string]string // path below the folder to source or target
	}{
		{parts.control(), "kubernetes-0123456789abcdef-aaaabbbbccccdddd", map[string]string{
			"usr/local/bin/kubernetes": "usr/local/bin/kubernetes.", "usr/local/bin/etcd": "kubernetes.",
			"usr/local/bin/kube-apiserver": "kubernetes.", "usr/local/bin/kube-controller-manager": "kubernetes.",
			"usr/local/bin/kube-scheduler": "kubernetes.", "usr/local/bin/kube-proxy": "kubernetes.", "usr/sbin/nft": "nft",
		}},
		{parts.dns(), "coredns-fedcba9876543210", map[string]string{"coredns": "coredns"}},
	} {
		image, err := b.unpacked(test.layer, v1.Config{})
		if err != nil {
			t.Fatal(err)
		}
		layers, err := image.Layers()
		if err != nil || len(layers) != 1 {
			t.Fatalf("%d layers (%v), want 1", len(layers), err)
		}
		content, err := layers[0].Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		got := filetest.Entries(t, content)
		_ = content.Close() // It was only read.
		want := []filetest.Entry{{Name: ".unpacked", Content: test.name, Type: tar.TypeReg, Mode: 0o644}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the layer (-want +got):\n%s", diff)
		}

		files, err := test.layer.placed(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		placed, wantPlaced := map[string]string{}, map[string]string{}
		for _, f := range files {
			placed[f.Path] = f.Same + f.Link + filepath.Base(f.Source)
		}
		for path, source := range test.files {
			wantPlaced["kind/unpacked/"+test.name+"/"+path] = source
		}
		if diff := cmp.Diff(wantPlaced, placed); diff != "" {
			t.Errorf("files in the node image (-want +got):\n%s", diff)
		}
	}
}
