package artifact

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/operator-tracing/sandbox/sandbox/artifact/internal/filetest"
	"github.com/operator-tracing/sandbox/sandbox/artifact/layer"
)

// elfHeader returns a static program for a machine, as far as package elf reads it.
func elfHeader(machine byte) string {
	return "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 11) + string([]byte{machine, 0, 1}) + strings.Repeat("\x00", 43)
}

const amd64Machine, arm64Machine = 0x3e, 0xb7

// publishLayers pushes an image with a layer for each list of files.
func publishLayers(t *testing.T, transport http.RoundTripper, reference string, layers ...[]layer.File) {
	t.Helper()
	image := empty.Image
	for _, files := range layers {
		path := filepath.Join(t.TempDir(), "layer.tar")
		if err := layer.Write(path, files); err != nil {
			t.Fatal(err)
		}
		compressed, err := tarball.LayerFromFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if image, err = mutate.AppendLayers(image, compressed); err != nil {
			t.Fatal(err)
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config.OS, config.Architecture = "linux", "amd64"
	if image, err = mutate.ConfigFile(image, config); err != nil {
		t.Fatal(err)
	}
	parsed, err := name.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(parsed, image, remote.WithTransport(transport), remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
}

func TestProgramsFromPublishedImages(t *testing.T) {
	var requests atomic.Int64
	images := quietRegistry()
	transport := answeredBy(t, http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		requests.Add(1)
		images.ServeHTTP(w, request)
	}))
	server, old := elfHeader(amd64Machine), elfHeader(amd64Machine)+"old"
	const apiServer, jaeger = "registry.k8s.io/kube-apiserver:v1.99.0", "docker.io/jaegertracing/jaeger:2.99.0"
	publishLayers(t, transport, apiServer,
		[]layer.File{{Path: "usr/local/bin/kube-apiserver", Content: old}, {Path: "go-runner", Content: "other"}},
		[]layer.File{{Path: "usr/local/bin/kube-apiserver", Content: server}},
		[]layer.File{{Path: "etc/kube-apiserver", Content: "text", Mode: 0o644}})
	publishLayers(t, transport, jaeger, []layer.File{{Path: "cmd/jaeger/jaeger-linux-amd64", Content: server}})

	r := puller(t, transport, "amd64")
	programs := map[string]string{"assets/kube-apiserver": apiServer, "jaeger": jaeger}
	dir, err := r.Programs(t.Context(), nil, "kubernetes", programs)
	if err != nil {
		t.Fatal(err)
	}
	if dir != r.ProgramsFolder("kubernetes", programs) || !strings.HasPrefix(filepath.Base(dir), "kubernetes-published-") {
		t.Errorf("Programs() = %s", dir)
	}
	if IsPublished("/cache/bin/kubernetes-0123456789abcdef/assets/etcd") {
		t.Error("IsPublished() of a build = true")
	}
	for program := range programs {
		path := filepath.Join(dir, program)
		if !IsPublished(path) {
			t.Errorf("IsPublished(%s) = false", path)
		}
		if got := filetest.Read(t, path); got != server {
			t.Errorf("content of %s = %q, want the program of the uppermost layer", program, got)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("mode of %s = %v, %v; want 0755", program, info.Mode(), err)
		}
	}
	before := requests.Load()
	if again, err := r.Programs(t.Context(), nil, "kubernetes", programs); again != dir || err != nil {
		t.Errorf("second Programs() = %s, %v; want %s", again, err, dir)
	}
	if requests.Load() != before {
		t.Errorf("second Programs() sent %d requests, want none", requests.Load()-before)
	}
	programs["jaeger"] = apiServer
	if other := r.ProgramsFolder("kubernetes", programs); other == dir {
		t.Error("ProgramsFolder() does not depend on the images")
	}
}

func TestProgramsErrors(t *testing.T) {
	transport := answeredBy(t, quietRegistry())
	const image = "registry.k8s.io/kube-scheduler:v1.99.0"
	// A header and two sections: the names of the sections, and .interp.
	const names = "\x00.shstrtab\x00.interp\x00"
	header := []byte(elfHeader(amd64Machine))
	header[40], header[58], header[60], header[62] = byte(len(header)+len(names)), 64, 3, 1
	section := func(name, kind byte, size int) string {
		s := make([]byte, 64)
		s[0], s[4], s[24], s[32] = name, kind, 64, byte(size)
		return string(s)
	}
	dynamic := string(header) + names + section(0, 0, 0) + section(1, 3, len(names)) + section(11, 1, 1)
	for name, test := range map[string]struct {
		content string
		want    string
	}{
		"another architecture": {elfHeader(arm64Machine), "it is a program for EM_AARCH64, not for amd64"},
		"a script":             {"#!/bin/sh\n", "extracting kube-scheduler from " + image},
		"no program":           {"", "no such program in the image"},
		"dynamically linked":   {dynamic, "it is dynamically linked"},
	} {
		t.Run(name, func(t *testing.T) {
			publishLayers(t, transport, image, []layer.File{{Path: "usr/local/bin/kube-scheduler", Content: test.content}})
			r := puller(t, transport, "amd64")
			_, err := r.Programs(t.Context(), nil, "kubernetes", map[string]string{"assets/kube-scheduler": image})
			if err == nil || !strings.HasPrefix(err.Error(), "getting the published programs of kubernetes: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Programs() = %v, want %q", err, test.want)
			}
			if left := filetest.Names(t, filepath.Join(r.folder, "bin")); len(left) > 0 {
				t.Errorf("the cache has %q, want nothing", left)
			}
		})
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := puller(t, transport, "amd64").Programs(ctx, nil, "kubernetes", map[string]string{"assets/kube-scheduler": image})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Programs() after cancellation = %v, want %v", err, context.Canceled)
	}
}

// A mirror must not be able to replace programs whose digests are not pinned.
func TestProgramsFromAMirrorNeedPins(t *testing.T) {
	transport := answeredBy(t, quietRegistry())
	content := []layer.File{{Path: "program", Content: elfHeader(amd64Machine)}}
	publishLayers(t, transport, "mirror.example.com/program:v1", content)
	mirror, err := NewMirror("mirror.example.com", "")
	if err != nil {
		t.Fatal(err)
	}
	programs := map[string]string{"program": "registry.k8s.io/program:v1"}
	r := puller(t, transport, "amd64")
	r.mirror = mirror
	if _, err := r.Programs(t.Context(), nil, "kubernetes", programs); err == nil || !strings.Contains(err.Error(), "no digest of registry.k8s.io/program:v1") {
		t.Errorf("Programs() without a pin = %v", err)
	}
	digest := remoteDigest(t, transport, "mirror.example.com/program:v1")
	r.mirror.pins = map[string]string{"registry.k8s.io/program:v1": digest.String()}
	if _, err := r.Programs(t.Context(), nil, "kubernetes", programs); err != nil {
		t.Errorf("Programs() with a pin = %v", err)
	}
}

func remoteDigest(t *testing.T, transport http.RoundTripper, reference string) v1.Hash {
	t.Helper()
	parsed, err := name.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	found, err := remote.Head(parsed, remote.WithTransport(transport), remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return found.Digest
}
