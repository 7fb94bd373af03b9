package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var moment = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// TestPack tests the names, modes and times of an archive, and that it does not depend on the files' times.
func TestPack(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	program, text := filepath.Join(folder, "sandbox"), filepath.Join(folder, "LICENSE")
	for path, mode := range map[string]os.FileMode{program: 0o700, text: 0o600} {
		if err := os.WriteFile(path, []byte(filepath.Base(path)), mode); err != nil {
			t.Fatal(err)
		}
	}
	first, err := pack("sandbox_v1", []string{program, text}, moment)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(text, moment, moment); err != nil {
		t.Fatal(err)
	}
	second, err := pack("sandbox_v1", []string{program, text}, moment)
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("equal files have different archives, error %v", err)
	}
	want := map[string]os.FileMode{"sandbox_v1/sandbox": 0o755, "sandbox_v1/LICENSE": 0o644}
	if diff := cmp.Diff(want, modes(t, first)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if _, err := pack("x", []string{filepath.Join(folder, "missing")}, moment); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("pack of a missing file = %v", err)
	}
}

// modes returns the modes of the files in an archive, and fails the test if a file has another time than
// moment or another content than its name.
func modes(t *testing.T, archive []byte) map[string]os.FileMode {
	t.Helper()
	compressed, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]os.FileMode{}
	for reader := tar.NewReader(compressed); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil || string(content) != filepath.Base(header.Name) || !header.ModTime.Equal(moment) {
			t.Errorf("%s: content %q, time %s, error %v", header.Name, content, header.ModTime, err)
		}
		got[header.Name] = header.FileInfo().Mode()
	}
}

// TestBill tests the components of a bill of materials.
func TestBill(t *testing.T) {
	t.Parallel()
	text, err := bill(&buildinfo.BuildInfo{
		GoVersion: "go1.26.6", Main: debug.Module{Path: "example.com/main"},
		Deps: []*debug.Module{
			{Path: "example.com/a", Version: "v1.0.0"},
			{Path: "example.com/b", Version: "v0.0.0", Replace: &debug.Module{Path: "example.com/fork", Version: "v2.0.0"}},
			{Path: "example.com/c", Version: "v0.0.0", Replace: &debug.Module{Path: "./c"}},
		},
	}, "v3.0.0", moment)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		BOMFormat string
		Metadata  struct {
			Timestamp string
			Component component
		}
		Components []component
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	var purls []string
	for _, c := range got.Components {
		purls = append(purls, c.PURL)
	}
	want := []string{"pkg:golang/std@1.26.6", "pkg:golang/example.com/a@v1.0.0", "pkg:golang/example.com/fork@v2.0.0", "pkg:golang/example.com/c@v0.0.0"}
	if diff := cmp.Diff(want, purls); diff != "" {
		t.Errorf("components (-want +got):\n%s", diff)
	}
	if got.BOMFormat != "CycloneDX" || got.Metadata.Component.PURL != "pkg:golang/example.com/main@v3.0.0" || got.Metadata.Timestamp != "2026-11-30T12:00:00Z" {
		t.Errorf("bill of materials = %s", text)
	}
}

// TestSign checks the checksums with sha256sum, and the subjects of the provenance.
func TestSign(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s := snapshot{version: "v1", commit: "c0ffee", time: moment}
	if err := s.write(folder, artifact{"a.tar.gz", []byte("a")}, artifact{"a.cdx.json", []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	if err := s.sign(folder); err != nil {
		t.Fatal(err)
	}
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "SHA256SUMS")
	check.Dir = folder
	if out, err := check.CombinedOutput(); err != nil || strings.Count(string(out), ": OK\n") != 3 {
		t.Errorf("sha256sum --check: %v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(folder, "provenance.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Subject []struct {
			Name   string
			Digest map[string]string
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Subject) != 2 || got.Subject[0].Digest["sha256"] != (artifact{content: []byte("a")}).digest() || !strings.Contains(string(text), "c0ffee") {
		t.Errorf("provenance = %s", text)
	}
}
