package image

import (
	"archive/tar"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// The image that containerd imports has a mark, and the mark names the folder that the node image has the files in.
func TestUnpackedLayerIsWhereItsMarkSays(t *testing.T) {
	parts := nodeParts{
		kubernetesDir: "/bin/kubernetes-0123456789abcdef", coreDNSDir: "/bin/coredns-fedcba9876543210",
		rootFS: rootFS{archive: "/rootfs/debian-aaaabbbbccccdddd/rootfs.tar"},
	}
	b := &Builder{Cache: t.TempDir(), Arch: "amd64"}
	for _, test := range []struct {
		layer unpackedLayer
		name  string
	}{
		{parts.control(), "kubernetes-0123456789abcdef-aaaabbbbccccdddd"},
		{parts.dns(), "coredns-fedcba9876543210"},
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
		got := entries(t, content)
		_ = content.Close() // It was read.
		want := []entry{{".unpacked", "", test.name, tar.TypeReg, 0o644}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the layer (-want +got):\n%s", diff)
		}
		placed := test.layer.in([]file{{path: "usr/bin/program", source: "program"}})
		if len(placed) != 1 || placed[0].path != "kind/unpacked/"+test.name+"/usr/bin/program" || placed[0].source != "program" {
			t.Errorf("placed %+v", placed)
		}
	}
}

func TestControlFilesAreTheNodesOwnPrograms(t *testing.T) {
	archive := filepath.Join(t.TempDir(), "rootfs.tar")
	if err := writeLayer(archive, []file{{path: "usr/sbin/nft", content: linkedProgram(t, "")}}); err != nil {
		t.Fatal(err)
	}
	files, err := nodeParts{rootFS: rootFS{archive: archive}}.controlFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, f := range files {
		found[f.path] = f.same + f.link + filepath.Base(f.source)
	}
	want := map[string]string{
		"usr/local/bin/kubernetes": "usr/local/bin/kubernetes.", "usr/local/bin/etcd": "kubernetes.",
		"usr/local/bin/kube-apiserver": "kubernetes.", "usr/local/bin/kube-controller-manager": "kubernetes.",
		"usr/local/bin/kube-scheduler": "kubernetes.", "usr/local/bin/kube-proxy": "kubernetes.", "usr/sbin/nft": "nft",
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
