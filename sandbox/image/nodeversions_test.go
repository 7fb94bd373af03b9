package image

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
)

// Whoever gets a node image without its sources learns from its labels how kubeadm must be told about it, and what it is called.
func TestNodeVersionsFromLabels(t *testing.T) {
	want := NodeVersions{Kubernetes: "v1.99.1", EtcdTag: "3.9.9-0", CoreDNSTag: "v1.9.9"}
	content, err := assemble("linux", "amd64", v1.Config{Labels: map[string]string{
		kubernetesLabel: want.Kubernetes, etcdLabel: want.EtcdTag, coreDNSLabel: want.CoreDNSTag,
	}})
	if err != nil {
		t.Fatal(err)
	}
	node, err := nodeImage(want, content)
	if err != nil {
		t.Fatal(err)
	}
	got, own, err := node.NodeVersions()
	if err != nil || !own {
		t.Fatalf("it is not the sandbox's own, %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if name := LocalRepository + "node:v1.99.1-" + digestOf(t, node)[len("sha256:"):][:12]; node.Name() != name {
		t.Errorf("it is called %s, want %s", node.Name(), name)
	}
	if built, err := node.FromSource(); err != nil || !built {
		t.Errorf("that it was built from source is lost, %v", err)
	}

	kinds := New(empty.Image, "docker.io/kindest/node:v1")
	if _, own, err := kinds.NodeVersions(); err != nil || own {
		t.Errorf("kind's image is taken for the sandbox's own, %v", err)
	}
	if built, err := kinds.FromSource(); err != nil || built {
		t.Errorf("kind's image is taken for one from source, %v", err)
	}
}
