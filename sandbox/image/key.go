package image

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// goWork is the name of a workspace's file.
const goWork = "go.work"

// key hashes everything that decides what a build makes: the sources, the flags, the compiler, the platform. A build uses
// the module's own go.mod, go.sum and go.work, and no workspace of a folder above it. It asks no compiler, and takes the one that compiled the sandbox for the one that builds: what is in the cache can be run where Go is missing.
func (b *Builder) key(c component) (key string, stamps []string, err error) {
	folder := b.folder(c.module)
	goMod, err := os.ReadFile(filepath.Join(folder, "go.mod"))
	if err != nil {
		return "", nil, fmt.Errorf("reading the module: %w; run the sandbox inside the repository, or name it by --source", err)
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
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return "", nil, fmt.Errorf("reading the sources: %w", err)
		}
		fmt.Fprintf(hash, "%s %d\n", filepath.ToSlash(name), len(data))
		hash.Write(data)
	}
	return hex.EncodeToString(hash.Sum(nil))[:16], stamps, nil
}

// sourceFiles lists, below the folder of c's module, the files that decide what its build makes: all of the module's Go
// files but tests, or those in c.sources, and the lists of requirements.
func (c component) sourceFiles(folder string) ([]string, error) {
	if len(c.sources) == 0 {
		return goFiles(folder, ".", false)
	}
	files := []string{"go.mod", "go.sum"}
	if fileExists(filepath.Join(folder, goWork)) {
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

// goFiles lists the Go files, go.mod, go.sum and go.work in and below a folder of a module, by their paths in the module. Whether
// it enters nested modules is the caller's choice.
func goFiles(module, folder string, nested bool) (files []string, err error) {
	top := filepath.Join(module, folder)
	err = filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if !nested && path != top && fileExists(filepath.Join(path, "go.mod")) {
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

// isSource tells whether a build reads a file of this name. Like Go it passes over names that begin with a dot or an underscore:
// editors keep such files, and links to nothing, beside the one that is edited.
func isSource(name string) bool {
	if name == "go.mod" || name == "go.sum" || name == goWork {
		return true
	}
	return filepath.Ext(name) == ".go" && !strings.HasSuffix(name, "_test.go") && !strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "_")
}
