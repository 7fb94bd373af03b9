package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/artifact/internal/gocmd"
	table "github.com/operator-tracing/sandbox/sandbox/component"
)

// asset is a folder of a Go module without Go code. It is copied to the cache, so that the Go
// command is needed only once.
type asset struct {
	name    string // in the cache
	within  string // folder of the module whose go.mod requires it, below the repository's root
	module  string
	version string // the version in that go.mod
	folder  string // in the module
	holds   string // a file that the folder must have
}

// chartOf returns a component's Helm chart, from the module that the module of its programs requires.
func chartOf(row table.Component) asset {
	return asset{
		name: row.ChartName(), within: row.Source.Module,
		module: row.Chart.Module, version: row.Version, folder: row.Chart.Folder, holds: "Chart.yaml",
	}
}

// Chart returns the folder of a component's Helm chart, in the version of its images and programs. It
// needs the Go command, and possibly the network, only if the chart is not in the cache. It reports
// nothing if it is.
func (b *Builder) Chart(ctx context.Context, row table.Component, report artifact.Report) (dir string, err error) {
	return b.asset(ctx, chartOf(row), report)
}

// assetFolder returns the folder of an asset in the cache, and its outputs.
func (b *Builder) assetFolder(a asset) (dir string, outputs []string) {
	key := cache.Key([]byte(a.module + "@" + a.version + " " + a.folder))
	return b.built(a.name, key), []string{filepath.Join(filepath.Base(a.folder), a.holds)}
}

// asset returns the folder with a's files. It copies them from the Go module cache if necessary.
func (b *Builder) asset(ctx context.Context, a asset, report artifact.Report) (string, error) {
	dir, outputs := b.assetFolder(a)
	_, err := cache.Ensure(dir, outputs, func(temporary string) error {
		report.Say("copying %s from its module", a.name)
		module, err := b.moduleFolder(ctx, a)
		if err != nil {
			return err
		}
		if err := os.CopyFS(filepath.Join(temporary, filepath.Base(a.folder)), os.DirFS(filepath.Join(module, a.folder))); err != nil {
			return fmt.Errorf("copying %s of the module: %w", a.folder, err)
		}
		if !cache.Complete(temporary, outputs) {
			return fmt.Errorf("the module has no %s/%s", a.folder, a.holds)
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("getting %s: %w", a.name, err)
	}
	return filepath.Join(dir, filepath.Base(a.folder)), nil
}

// moduleFolder returns the folder of a's module in the Go module cache. It downloads the module if
// necessary.
func (b *Builder) moduleFolder(ctx context.Context, a asset) (string, error) {
	// "go mod download -json" also prints the folder of a downloaded module, without using the
	// network.
	out, err := b.goCommand(ctx, a.within, "mod", "download", "-json", a.module).Output()
	if err := gocmd.NoGo(err); err != nil {
		return "", err
	}
	var module struct{ Dir, Version, Error string }
	if decodeErr := json.Unmarshal(out, &module); decodeErr != nil {
		return "", fmt.Errorf("finding module %s: %w", a.module, errors.Join(err, gocmd.ExitText(err), decodeErr))
	}
	switch {
	case module.Error != "":
		return "", fmt.Errorf("finding module %s: %s", a.module, module.Error)
	case module.Version != a.version:
		return "", fmt.Errorf("finding module %s: go.mod has %s, want %s", a.module, module.Version, a.version)
	}
	return module.Dir, nil
}
