package artifact

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNodeVersionsFromLabels(t *testing.T) {
	t.Parallel()
	want := NodeVersions{Kubernetes: "v1.99.1", EtcdTag: "3.9.9-0", CoreDNSTag: "v1.9.9"}
	labels := want.Labels()
	maps.Copy(labels, map[string]string{SourceLabel: "true"})
	content, err := mutate.Config(empty.Image, v1.Config{Labels: labels})
	if err != nil {
		t.Fatal(err)
	}
	node, err := NewNode(want, content)
	if err != nil {
		t.Fatal(err)
	}
	got, own, err := node.NodeVersions()
	if err != nil || !own || got != want {
		t.Errorf("NodeVersions() = %+v, %t, %v; want %+v, true", got, own, err, want)
	}
	if name := LocalRepository + "node:v1.99.1-" + digestOf(t, node)[len("sha256:"):][:12]; node.Name() != name {
		t.Errorf("Name() = %s, want %s", node.Name(), name)
	}
	if built, err := node.FromSource(); err != nil || !built {
		t.Errorf("FromSource() = %t, %v; want true", built, err)
	}

	kinds := New(empty.Image, "docker.io/kindest/node:v1")
	if _, own, err := kinds.NodeVersions(); err != nil || own {
		t.Errorf("NodeVersions() of kind's image: own = %t, %v; want false", own, err)
	}
	if built, err := kinds.FromSource(); err != nil || built {
		t.Errorf("FromSource() of kind's image = %t, %v; want false", built, err)
	}
}

func randomImage(t *testing.T) v1.Image {
	t.Helper()
	image, err := random.Image(64, 2)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func digestOf(t *testing.T, image Image) string {
	t.Helper()
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func TestAsOperator(t *testing.T) {
	t.Parallel()
	image := New(randomImage(t), "docker.io/team/op:dev")
	own, err := image.AsOperator()
	if want := LocalRepository + "operator:" + strings.TrimPrefix(digestOf(t, image), "sha256:")[:16]; err != nil || own.Name() != want {
		t.Errorf("AsOperator() = %v, %v; want %s", own.Names, err, want)
	}
}

func TestQualified(t *testing.T) {
	t.Parallel()
	for reference, want := range map[string]string{
		"op:dev": "docker.io/library/op:dev", "team/op": "docker.io/team/op:latest", "example.com:5000/op:1": "example.com:5000/op:1",
		"Not Valid": "Not Valid",
	} {
		if got := Qualified(reference); got != want {
			t.Errorf("Qualified(%s) = %s, want %s", reference, got, want)
		}
	}
}

func TestArchive(t *testing.T) {
	t.Parallel()
	images := []Image{New(randomImage(t), "localhost/a:1", "localhost/other:2"), New(randomImage(t), "localhost/b:1")}
	path := filepath.Join(t.TempDir(), "images.tar")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := Archive(out, images...); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	for _, i := range images {
		for _, n := range i.Names {
			tag, err := name.NewTag(n)
			if err != nil {
				t.Fatal(err)
			}
			found, err := tarball.ImageFromPath(path, &tag)
			if err != nil {
				t.Fatalf("finding %s: %v", n, err)
			}
			if err := validate.Image(found); err != nil {
				t.Errorf("%s: %v", n, err)
			}
			if diff := cmp.Diff(diffIDs(t, i.content), diffIDs(t, found)); diff != "" {
				t.Errorf("layers of %s (-want +got):\n%s", n, diff)
			}
		}
	}
	err = Archive(io.Discard, New(images[0].content, "Upper/Case:1"))
	if err == nil || !strings.HasPrefix(err.Error(), `reading the image name "Upper/Case:1"`) {
		t.Errorf("Archive() with an invalid name = %v", err)
	}
}

func diffIDs(t *testing.T, image v1.Image) []v1.Hash {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return config.RootFS.DiffIDs
}
