package main

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

const repository = "github.com/operator-tracing/sandbox"

// modules are the folders of the modules, each after the modules that it requires.
var modules = []string{"operator/tracing/spantree", "operator/tracing", "operator/tracing/provider", "sandbox/jaeger", "."}

// moduleFiles are the files that a release changes.
func moduleFiles() []string {
	files := []string{"go.work"}
	for _, folder := range modules {
		files = append(files, path.Join(folder, "go.mod"), path.Join(folder, "go.sum"))
	}
	return files
}

// sum has a module's checksums for go.sum.
type sum struct{ zip, goMod string }

// ours reports whether a module is one of this repository.
func ours(modulePath string) bool {
	return modulePath == repository || strings.HasPrefix(modulePath, repository+"/")
}

// setVersion sets the version at which the module in a folder requires others of this repository, and their checksums.
func setVersion(folder, version string, sums map[string]sum) error {
	name := filepath.Join(folder, "go.mod")
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	file, err := modfile.Parse(name, data, nil)
	if err != nil {
		return err
	}
	if len(file.Replace) > 0 {
		return fmt.Errorf("setting the version in %s: it has a replace line, with which `go install` refuses the module; remove it", name)
	}
	var lines []string
	for _, r := range file.Require {
		if !ours(r.Mod.Path) {
			continue
		}
		s, ok := sums[r.Mod.Path]
		if !ok {
			return fmt.Errorf("setting the version in %s: %s is not released before it", name, r.Mod.Path)
		}
		if err := file.AddRequire(r.Mod.Path, version); err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("%s %s %s", r.Mod.Path, version, s.zip), fmt.Sprintf("%s %s/go.mod %s", r.Mod.Path, version, s.goMod))
	}
	if len(lines) == 0 {
		return nil
	}
	if data, err = file.Format(); err != nil {
		return err
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		return err
	}
	return addSums(filepath.Join(folder, "go.sum"), lines)
}

// addSums replaces the lines of this repository's modules in a go.sum.
func addSums(name string, lines []string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(data)) {
		if modulePath, _, _ := strings.Cut(line, " "); !ours(modulePath) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	slices.SortFunc(lines, compareSums)
	return os.WriteFile(name, []byte(strings.Join(lines, "\n")+"\n"), 0o644)
}

// compareSums orders lines of a go.sum as the go command does: by path, by version, and then the zip file before go.mod.
func compareSums(a, b string) int {
	x, y := parseSum(a), parseSum(b)
	return cmp.Or(cmp.Compare(x.path, y.path), semver.Compare(x.version, y.version), cmp.Compare(x.file, y.file))
}

type sumLine struct{ path, version, file string }

func parseSum(line string) (s sumLine) {
	s.path, line, _ = strings.Cut(line, " ")
	version, _, _ := strings.Cut(line, " ")
	s.version, s.file, _ = strings.Cut(version, "/")
	return s
}

// setWork sets the version in the replace lines of go.work, by which the workspace builds without the released modules.
func setWork(name, version string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	file, err := modfile.ParseWork(name, data, nil)
	if err != nil {
		return err
	}
	for _, r := range slices.Clone(file.Replace) {
		old, folder := r.Old, r.New.Path // Dropping it clears them.
		if !ours(old.Path) || old.Version == version {
			continue
		}
		if err := file.DropReplace(old.Path, old.Version); err != nil {
			return err
		}
		if err := file.AddReplace(old.Path, version, folder, ""); err != nil {
			return err
		}
	}
	file.Cleanup()
	return os.WriteFile(name, modfile.Format(file.Syntax), 0o644)
}

func parseDate(text string) (time.Time, error) {
	return time.Parse(time.DateOnly, strings.TrimSpace(text))
}
