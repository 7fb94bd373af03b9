package build

import (
	"archive/tar"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/internal/filetest"
	"github.com/operator-tracing/sandbox/sandbox/artifact/layer"
)

// The operator's image has the certificates of the authorities that this machine trusts.
func TestOperatorImageHasTrustedCertificates(t *testing.T) {
	system := certificateFiles
	t.Cleanup(func() { certificateFiles = system })
	b := &Builder{Cache: t.TempDir()}
	dir := filepath.Dir(filetest.Put(t, b.Cache, "bin/operator-0123456789abcdef/operator", "program"))
	first, second := authority(t), authority(t)

	seen := map[string]bool{}
	for _, c := range []struct {
		name             string
		variable, system []byte // content of the files
		want             []byte
	}{
		{"SSL_CERT_FILE", first, second, first},
		{"the system's file", nil, second, second},
		{"no certificate in SSL_CERT_FILE", []byte("text"), first, first},
		{"none", nil, nil, nil},
	} {
		folder := t.TempDir()
		certificateFiles = []string{filepath.Join(folder, "none"), filepath.Join(folder, "system")}
		t.Setenv("SSL_CERT_FILE", filepath.Join(folder, "variable"))
		if c.variable != nil {
			filetest.Put(t, folder, "variable", string(c.variable))
		}
		if c.system != nil {
			filetest.Put(t, folder, "system", string(c.system))
		}
		image, err := b.operatorImage(dir)
		if err != nil {
			t.Fatal(err)
		}
		files := contents(t, image)
		want := map[string]string{"operator": "program"}
		if c.want != nil {
			want[certificatesPath] = string(certificateOf(c.want))
		}
		if diff := cmp.Diff(want, files); diff != "" {
			t.Errorf("%s: files of the image (-want +got):\n%s", c.name, diff)
		}
		seen[image.Name()] = true
		if c.want != nil && !x509.NewCertPool().AppendCertsFromPEM([]byte(files[certificatesPath])) {
			t.Errorf("%s: the certificates can't be parsed", c.name)
		}
	}
	if len(seen) != 3 {
		t.Errorf("names = %v, want one for each of three contents", seen)
	}
}

// authority returns a file with a certificate, its key and some text.
func authority(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Join([][]byte{
		[]byte("# An authority\n"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate, Headers: map[string]string{"Name": "it"}}),
	}, nil)
}

// certificateOf returns the certificate in such a file without the rest.
func certificateOf(authority []byte) []byte {
	_, rest := pem.Decode(authority)
	block, _ := pem.Decode(rest)
	return pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})
}

// contents returns the files of an image.
func contents(t *testing.T, image artifact.Image) map[string]string {
	t.Helper()
	layers, err := image.Content().Layers()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, layer := range layers {
		archive, err := layer.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range filetest.Entries(t, archive) {
			if entry.Type == tar.TypeReg {
				files[entry.Name] = entry.Content
			}
		}
		if err := archive.Close(); err != nil {
			t.Error(err)
		}
	}
	return files
}

// testImage returns an image of one small program.
func testImage(t *testing.T, program, content string) v1.Image {
	t.Helper()
	b := &Builder{Cache: t.TempDir(), Arch: "amd64"}
	build := filetest.Put(t, t.TempDir(), program+"-0123456789abcdef/"+program, content)
	image, err := b.single(program, filepath.Dir(build), program, v1.Config{User: "1000"})
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestAssembledImageIsValid(t *testing.T) {
	t.Parallel()
	image := testImage(t, "program", "elf")
	manifest, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 || len(manifest.Layers) != 1 {
		t.Fatalf("layers %v and %v, %v", layers, manifest.Layers, err)
	}
	content, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	digest, size, err := v1.SHA256(content)
	if err != nil {
		t.Fatal(err)
	}
	if m := manifest.Layers[0]; m.Digest != digest || m.Size != size || m.MediaType != types.OCIUncompressedLayer {
		t.Errorf("layer in the manifest = %+v, want %d bytes with digest %s", m, size, digest)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.OS != "linux" || config.Architecture != "amd64" || config.Config.User != "1000" ||
		!cmp.Equal(config.Config.Entrypoint, []string{"/program"}) || !cmp.Equal(config.RootFS.DiffIDs, []v1.Hash{digest}) {
		t.Errorf("ConfigFile() = %+v", config)
	}
}

func TestImagesAreDeterministic(t *testing.T) {
	t.Parallel()
	digest := func(content string) string {
		d, err := artifact.New(testImage(t, "program", content), "x").Digest()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if first, second := digest("one"), digest("one"); first != second {
		t.Error("equal inputs resulted in different images")
	}
	if digest("one") == digest("two") {
		t.Error("different inputs resulted in the same image")
	}
}

func TestLayerIsCached(t *testing.T) {
	t.Parallel()
	b := &Builder{Cache: t.TempDir()}
	written := 0
	files := func(scratch string) ([]layer.File, error) {
		written++
		return []layer.File{{Path: "f", Source: filetest.Put(t, scratch, "f", "text")}}, nil
	}
	for range 2 {
		if _, err := b.layer("name", "key", files); err != nil {
			t.Fatal(err)
		}
	}
	if written != 1 {
		t.Errorf("the layer was written %d times, want once", written)
	}
	if diff := cmp.Diff([]string{".sizes", "layer.tar", "layer.tar.digest"}, filetest.Names(t, filepath.Join(b.Cache, "layers", "name-key"))); diff != "" {
		t.Errorf("the layer's folder (-want +got):\n%s", diff)
	}
}
