package image

import (
	"archive/tar"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestOperatorTrustsWhatThisMachineDoes builds images of one program where the machine trusts an authority, another, and none.
func TestOperatorTrustsWhatThisMachineDoes(t *testing.T) {
	system := certificateFiles
	t.Cleanup(func() { certificateFiles = system })
	b := &Builder{Cache: t.TempDir()}
	const key = "0123456789abcdef"
	dir := filepath.Dir(put(t, b.Cache, "bin/operator-"+key+"/operator", "program"))
	first, second := authority(t), authority(t)

	seen := map[string]bool{}
	for _, c := range []struct {
		name             string
		variable, system []byte // what the files hold
		want             []byte
	}{
		{"the variable's file", first, second, first},
		{"the system's file", nil, second, second},
		{"no certificate in the variable's", []byte("text"), first, first},
		{"none", nil, nil, nil},
	} {
		folder := t.TempDir()
		certificateFiles = []string{filepath.Join(folder, "none"), filepath.Join(folder, "system")}
		t.Setenv("SSL_CERT_FILE", filepath.Join(folder, "variable"))
		if c.variable != nil {
			put(t, folder, "variable", string(c.variable))
		}
		if c.system != nil {
			put(t, folder, "system", string(c.system))
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
			t.Errorf("%s: the image has (-want +got):\n%s", c.name, diff)
		}
		if plain := image.Name() == LocalRepository+"operator:"+key; plain != (c.want == nil) {
			t.Errorf("%s: the image is called %s", c.name, image.Name())
		}
		seen[image.Name()] = true
		if c.want != nil && !x509.NewCertPool().AppendCertsFromPEM([]byte(files[certificatesPath])) {
			t.Errorf("%s: Go can't read them", c.name)
		}
	}
	if len(seen) != 3 {
		t.Errorf("images of three contents have the names %v", seen)
	}
}

// authority is a file with a certificate, its key and some words.
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

// certificateOf is what an image must have of such a file.
func certificateOf(authority []byte) []byte {
	_, rest := pem.Decode(authority)
	block, _ := pem.Decode(rest)
	return pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})
}

// contents are the files of an image.
func contents(t *testing.T, image Image) map[string]string {
	t.Helper()
	layers, err := image.image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, layer := range layers {
		archive, err := layer.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		reader := tar.NewReader(archive)
		for {
			header, err := reader.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if header.Typeflag != tar.TypeReg {
				continue
			}
			content, err := io.ReadAll(reader)
			if err != nil {
				t.Fatal(err)
			}
			files[header.Name] = string(content)
		}
		if err := archive.Close(); err != nil {
			t.Error(err)
		}
	}
	return files
}
