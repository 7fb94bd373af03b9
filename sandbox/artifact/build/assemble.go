package build

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/artifact/layer"
)

func (b *Builder) assemble(config v1.Config, layers ...v1.Layer) (v1.Image, error) {
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.AppendLayers(base, layers...)
	if err != nil {
		return nil, fmt.Errorf("adding layers: %w", err)
	}
	configFile, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("reading the image's configuration: %w", err)
	}
	configFile = configFile.DeepCopy()
	labels := map[string]string{artifact.SourceLabel: "true"}
	maps.Copy(labels, config.Labels)
	config.Labels = labels
	configFile.OS, configFile.Architecture = b.platform()
	configFile.Config = config
	return mutate.ConfigFile(image, configFile)
}

// layer returns the layer with these files, from the cache if possible. The key must change
// whenever the files change.
func (b *Builder) layer(name, key string, files func(scratch string) ([]layer.File, error)) (v1.Layer, error) {
	const archive = "layer.tar"
	dir := filepath.Join(b.Cache, cache.Layers, name+"-"+key)
	_, err := cache.Ensure(dir, []string{archive}, func(temporary string) error {
		scratch := filepath.Join(temporary, "scratch")
		if err := os.Mkdir(scratch, 0o755); err != nil {
			return err
		}
		defer os.RemoveAll(scratch)
		content, err := files(scratch)
		if err != nil {
			return err
		}
		return layer.Write(filepath.Join(temporary, archive), content)
	})
	if err != nil {
		return nil, fmt.Errorf("writing layer %s: %w", name, err)
	}
	return layer.Open(filepath.Join(dir, archive))
}

// single returns an image that runs one static program of a build, above other layers.
func (b *Builder) single(name, build, program string, config v1.Config, below ...v1.Layer) (v1.Image, error) {
	top, err := b.layer(name, cache.KeyOf(build), func(string) ([]layer.File, error) {
		return []layer.File{{Path: program, Source: filepath.Join(build, program)}}, nil
	})
	if err != nil {
		return nil, err
	}
	config.Entrypoint = []string{"/" + program}
	image, err := b.assemble(config, append(below, top)...)
	if err != nil {
		return nil, fmt.Errorf("assembling the image of %s: %w", name, err)
	}
	return image, nil
}

// certificateFiles are the certificates of trusted authorities on Debian, Fedora, openSUSE, Alpine,
// macOS and related systems.
var certificateFiles = []string{
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
}

// certificatesPath is the first path at which Go programs look for certificates.
const certificatesPath = "etc/ssl/certs/ca-certificates.crt"

// trusted returns the certificates of the authorities that this machine trusts, in PEM form: from
// SSL_CERT_FILE, or from the system if that file has none. They can include the certificate of a
// company's proxy. It removes all other content, above all keys. It returns nil if there are no
// certificates.
func trusted() []byte {
	for _, path := range append([]string{os.Getenv("SSL_CERT_FILE")}, certificateFiles...) {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		var certificates bytes.Buffer
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			if block.Type == "CERTIFICATE" {
				certificates.Write(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes}))
			}
		}
		if certificates.Len() > 0 {
			return certificates.Bytes()
		}
	}
	return nil
}

// certificates returns a layer with the certificates that this machine trusts, and its key. The
// layer is nil if there are none.
func (b *Builder) certificates() (certificates v1.Layer, key string, err error) {
	content := trusted()
	if len(content) == 0 {
		return nil, "", nil
	}
	key = cache.Key(content)
	certificates, err = b.layer("certificates", key, func(string) ([]layer.File, error) {
		return []layer.File{{Path: certificatesPath, Content: string(content), Mode: 0o644}}, nil
	})
	return certificates, key, err
}
