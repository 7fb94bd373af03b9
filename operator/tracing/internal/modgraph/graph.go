package modgraph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Graph is a module's graph of requirements, without versions: the selected version of a module and
// older required versions are one node.
type Graph struct {
	main  string
	edges map[string][]string // from a module's path to the paths of its requirements
}

// Read reads the graph of the module in a folder, outside of any workspace, as for an adopter.
// Other modules of this repository are read from their folders, because their versions may not be
// published yet.
func Read(ctx context.Context, folder string) (*Graph, error) {
	scratch, err := os.MkdirTemp("", "modgraph-")
	if err != nil {
		return nil, fmt.Errorf("reading the module graph of %s: %w", folder, err)
	}
	defer os.RemoveAll(scratch)
	file := filepath.Join(scratch, "go.mod")
	if err := copyModule(ctx, folder, file); err != nil {
		return nil, fmt.Errorf("reading the module graph of %s: %w", folder, err)
	}
	out, err := run(ctx, folder, "mod", "graph", "-modfile="+file)
	if err != nil {
		return nil, fmt.Errorf("reading the module graph of %s: %w", folder, err)
	}
	return parse(string(out))
}

// repository is the path of the repository's root module. Each module's folder is the rest of its
// path.
const repository = "github.com/operator-tracing/sandbox"

// copyModule copies a module's go.mod and go.sum, and replaces the other modules of the repository
// by their folders.
func copyModule(ctx context.Context, folder, file string) error {
	parsed, err := parseFile(ctx, folder)
	if err != nil {
		return err
	}
	args := []string{"mod", "edit"}
	for _, r := range parsed.Require {
		if r.Path != repository && !strings.HasPrefix(r.Path, repository+"/") {
			continue
		}
		relative, err := filepath.Rel(parsed.Module.Path, r.Path)
		if err != nil {
			return err
		}
		other, err := filepath.Abs(filepath.Join(folder, relative))
		if err != nil {
			return err
		}
		args = append(args, "-replace="+r.Path+"="+other)
	}
	for from, to := range map[string]string{"go.mod": file, "go.sum": strings.TrimSuffix(file, ".mod") + ".sum"} {
		data, err := os.ReadFile(filepath.Join(folder, from))
		if err != nil && !(from == "go.sum" && errors.Is(err, fs.ErrNotExist)) {
			return err
		}
		if err := os.WriteFile(to, data, 0o600); err != nil {
			return err
		}
	}
	_, err = run(ctx, folder, append(args, file)...)
	return err
}

// Direct returns the paths of the modules that the module in a folder imports itself, including its
// tests.
func Direct(ctx context.Context, folder string) ([]string, error) {
	file, err := parseFile(ctx, folder)
	if err != nil {
		return nil, fmt.Errorf("reading the requirements of %s: %w", folder, err)
	}
	var direct []string
	for _, r := range file.Require {
		if !r.Indirect {
			direct = append(direct, r.Path)
		}
	}
	return direct, nil
}

// moduleFile holds the used fields of go.mod.
type moduleFile struct {
	Module  struct{ Path string }
	Require []struct {
		Path     string
		Indirect bool
	}
}

func parseFile(ctx context.Context, folder string) (moduleFile, error) {
	var file moduleFile
	out, err := run(ctx, folder, "mod", "edit", "-json")
	if err != nil {
		return file, err
	}
	err = json.Unmarshal(out, &file)
	return file, err
}

func run(ctx context.Context, folder string, args ...string) ([]byte, error) {
	// The go command reads the file. go test must rerun its caller when the file changes, but only
	// tracks files that the test itself accessed.
	if _, err := os.Stat(filepath.Join(folder, "go.mod")); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("running go %s: %w\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out, nil
}

// parse reads pairs of modules. The main module comes first and has no version.
func parse(out string) (*Graph, error) {
	g := &Graph{edges: map[string][]string{}}
	for line := range strings.Lines(out) {
		from, to, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			return nil, fmt.Errorf("reading the module graph: %q is not a pair of modules", line)
		}
		if g.main == "" && !strings.Contains(from, "@") {
			g.main = from
		}
		from, _, _ = strings.Cut(from, "@")
		to, _, _ = strings.Cut(to, "@")
		if to != "go" && to != "toolchain" {
			g.edges[from] = append(g.edges[from], to)
		}
	}
	if g.main == "" {
		return nil, errors.New("reading the module graph: no main module")
	}
	return g, nil
}

// Beyond returns the sorted modules of the graph that are neither roots nor required by roots,
// directly or indirectly. It returns an error if the main module does not require a root.
func (g *Graph) Beyond(roots ...string) ([]string, error) {
	brought := map[string]bool{g.main: true}
	var follow func(module string)
	follow = func(module string) {
		if !brought[module] {
			brought[module] = true
			for _, next := range g.edges[module] {
				follow(next)
			}
		}
	}
	for _, root := range roots {
		if !slices.Contains(g.edges[g.main], root) {
			return nil, fmt.Errorf("looking up %s: not required by %s", root, g.main)
		}
		follow(root)
	}
	var beyond []string
	for _, modules := range g.edges {
		for _, module := range modules {
			if !brought[module] {
				brought[module] = true
				beyond = append(beyond, module)
			}
		}
	}
	slices.Sort(beyond)
	return beyond, nil
}
