package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// artifact is a file of the release.
type artifact struct {
	name    string
	content []byte
}

// digest returns the SHA-256 of the content in hexadecimal digits.
func (a artifact) digest() string {
	sum := sha256.Sum256(a.content)
	return hex.EncodeToString(sum[:])
}

// pack returns a gzipped tar archive with the files in a folder. It contains no owner and no time of the
// build, so that equal files result in equal bytes.
func pack(folder string, paths []string, modified time.Time) ([]byte, error) {
	var buffer bytes.Buffer
	compressed, err := gzip.NewWriterLevel(&buffer, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	archive := tar.NewWriter(compressed)
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		mode := int64(0o644)
		if info.Mode()&0o100 != 0 {
			mode = 0o755
		}
		header := &tar.Header{Name: folder + "/" + filepath.Base(path), Mode: mode, ModTime: modified, Format: tar.FormatPAX}
		if err := add(archive, header, content); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	if err := compressed.Close(); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}

// add adds a file to an archive.
func add(archive *tar.Writer, header *tar.Header, content []byte) error {
	header.Size = int64(len(content))
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err := archive.Write(content)
	return err
}

// component is a component of CycloneDX 1.5.
type component struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl"`
}

func newComponent(kind, path, version string) component {
	return component{kind, path, version, "pkg:golang/" + path + "@" + version}
}

// bill returns the bill of materials of a program in the JSON format of CycloneDX 1.5: the Go release and
// all modules that the program was linked from.
func bill(info *buildinfo.BuildInfo, version string, created time.Time) ([]byte, error) {
	components := []component{newComponent("library", "std", strings.TrimPrefix(info.GoVersion, "go"))}
	for _, dep := range info.Deps {
		if dep.Replace != nil && dep.Replace.Version != "" {
			dep = dep.Replace
		}
		components = append(components, newComponent("library", dep.Path, dep.Version))
	}
	return json.MarshalIndent(map[string]any{
		"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
		"metadata":   map[string]any{"timestamp": created.Format(time.RFC3339), "component": newComponent("application", info.Main.Path, version)},
		"components": components,
	}, "", "  ")
}

// sign writes the provenance of the artifacts as an in-toto statement with a predicate of SLSA 1.0, and
// their checksums in the format of sha256sum. The statement has no signature.
func (s *snapshot) sign(out string) error {
	subjects := []map[string]any{}
	for _, a := range s.archives {
		subjects = append(subjects, map[string]any{"name": a.name, "digest": map[string]string{"sha256": a.digest()}})
	}
	repository := "git+https://github.com/operator-tracing/sandbox"
	statement, err := json.MarshalIndent(map[string]any{
		"_type": "https://in-toto.io/Statement/v1", "subject": subjects, "predicateType": "https://slsa.dev/provenance/v1",
		"predicate": map[string]any{
			"buildDefinition": map[string]any{
				"buildType":            "https://github.com/operator-tracing/sandbox/blob/main/scripts/snapshot",
				"externalParameters":   map[string]string{"version": s.version},
				"internalParameters":   map[string]string{"go": runtime.Version()},
				"resolvedDependencies": []map[string]any{{"uri": repository, "digest": map[string]string{"gitCommit": s.commit}}},
			},
			"runDetails": map[string]any{"builder": map[string]string{"id": repository}},
		},
	}, "", "  ")
	if err != nil {
		return err
	}
	if err := s.write(out, artifact{"provenance.json", statement}); err != nil {
		return err
	}
	var sums strings.Builder
	for _, a := range s.archives {
		fmt.Fprintf(&sums, "%s  %s\n", a.digest(), a.name)
	}
	return s.write(out, artifact{"SHA256SUMS", []byte(sums.String())})
}
