package build

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/input"
)

// goWork is the file name of a workspace.
const goWork = "go.work"

// key returns the hash of everything that determines a build: sources, flags, compiler and
// platform. The build uses go.mod, go.sum and go.work of the module's own folder. key does not run
// the Go command, and assumes the version that compiled the sandbox: cached builds can be used
// without Go.
func (b *Builder) key(c component) (key string, stamps []string, err error) {
	folder := b.folder(c.module)
	goMod, err := input.ReadFile(filepath.Join(folder, "go.mod"), input.MaxManifest)
	if err != nil {
		return "", nil, fmt.Errorf("reading the module: %w; run the sandbox inside the repository, or set --source", err)
	}
	for _, s := range c.stamp {
		if strings.Contains(s, kubernetesVersion) {
			version, err := required(goMod, folder, "k8s.io/kubernetes")
			if err != nil {
				return "", nil, err
			}
			s = strings.ReplaceAll(s, kubernetesVersion, version)
		}
		stamps = append(stamps, s)
	}
	hash := sha256.New()
	goos, goarch := b.platform()
	fmt.Fprintln(hash, runtime.Version(), goos, goarch, c.packages, c.tags, stamps)
	for _, flag := range c.flags {
		fmt.Fprintf(hash, "%q\n", flag)
	}
	files, err := c.sourceFiles(folder)
	if err != nil {
		return "", nil, fmt.Errorf("listing the sources: %w", err)
	}
	for _, name := range files {
		data, err := input.ReadFile(filepath.Join(folder, name), input.MaxManifest)
		if err != nil {
			return "", nil, fmt.Errorf("reading the sources: %w", err)
		}
		fmt.Fprintf(hash, "%s %d\n", filepath.ToSlash(name), len(data))
		hash.Write(data)
	}
	return hex.EncodeToString(hash.Sum(nil))[:16], stamps, nil
}

// sourceFiles lists the files that determine c's build, below its module's folder: all Go files of
// the module or of c.sources, without tests, and the lists of requirements.
func (c component) sourceFiles(folder string) ([]string, error) {
	if len(c.sources) == 0 {
		return goFiles(folder, ".", false)
	}
	files := []string{"go.mod", "go.sum"}
	if exists(filepath.Join(folder, goWork)) {
		files = append(files, goWork)
	}
	for _, source := range c.sources {
		more, err := goFiles(folder, source, true)
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	return files, nil
}

// goFiles lists the source files in and below a folder of a module, by their paths in the module.
// nested includes nested modules.
func goFiles(module, folder string, nested bool) (files []string, err error) {
	top := filepath.Join(module, folder)
	err = filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if !nested && path != top && exists(filepath.Join(path, "go.mod")) {
				return filepath.SkipDir
			}
			return nil
		}
		if !isSource(entry.Name()) {
			return nil
		}
		relative, err := filepath.Rel(module, path)
		files = append(files, relative)
		return err
	})
	return files, err
}

// isSource reports whether a build reads files of this name. Like Go it ignores names that start
// with a dot or an underscore: editors keep such files, and dangling links, beside an edited file.
func isSource(name string) bool {
	if name == "go.mod" || name == "go.sum" || name == goWork {
		return true
	}
	return filepath.Ext(name) == ".go" && !strings.HasSuffix(name, "_test.go") && !strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "_")
}
