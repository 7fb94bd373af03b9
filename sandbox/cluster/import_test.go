package cluster

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/engine/enginetest"
)

func TestImages(t *testing.T) {
	f, c := enginetest.New(t), newCluster(t)
	f.Engine("podman", `printf 'registry.example.test/a:1\nlocalhost/b:2\nsha256:abc\n'`)
	have, err := c.Images(t.Context())
	want := map[string]bool{"registry.example.test/a:1": true, "localhost/b:2": true, "sha256:abc": true}
	if diff := cmp.Diff(want, have); diff != "" || err != nil {
		t.Errorf("Images: error %v (-want +got):\n%s", err, diff)
	}
	f.Engine("podman", `echo 'no such container' >&2; exit 125`)
	_, err = c.Images(t.Context())
	enginetest.WantError(t, err, "listing the images of node test-control-plane", "no such container")
}

func TestImport(t *testing.T) {
	f, c := enginetest.New(t), newCluster(t)
	f.Engine("podman", `case "$*" in *import*) cat > "$FAKE/imported";; esac`)
	err := c.Import(t.Context(), func(out io.Writer) error {
		_, err := io.WriteString(out, "archive")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(f.File("podman", "imported"))
	if err != nil || string(data) != "archive" {
		t.Errorf("the node imported %q, %v, want archive", data, err)
	}
}

func TestImportErrors(t *testing.T) {
	f, c := enginetest.New(t), newCluster(t)
	f.Engine("podman", `case "$*" in *import*) echo 'ctr: unexpected EOF' >&2; exit 1;; esac`)
	err := c.Import(t.Context(), func(out io.Writer) error {
		_, err := out.Write(make([]byte, 1<<20))
		return err
	})
	enginetest.WantError(t, err, "importing images into node test-control-plane", "unexpected EOF")

	f.Engine("podman", `echo 'no containerd' >&2; exit 1`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = c.Import(ctx, func(io.Writer) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Import: got error %v, want context.Canceled", err)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q has several lines", err)
	}
}
