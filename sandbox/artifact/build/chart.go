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

// Chart returns the folder of a component's Helm chart, in the version of its images and programs. It
// needs the Go command, and possibly the network, only if the chart is not in the cache. It reports
// nothing if it is.
func (b *Builder) Chart(ctx context.Context, row table.Component, report artifact.Report) (string, error) {
	dir, outputs := b.chartFolder(row)
	folder := row.Chart.Folder
	_, err := cache.Ensure(dir, outputs, func(temporary string) error {
		report.Say("copying %s from its module", row.ChartName())
		module, err := b.moduleFolder(ctx, row)
		if err != nil {
			return err
		}
		if err := os.CopyFS(filepath.Join(temporary, filepath.Base(folder)), os.DirFS(filepath.Join(module, folder))); err != nil {
			return fmt.Errorf("copying %s of the module: %w", folder, err)
		}
		if !cache.Complete(temporary, outputs) {
			return fmt.Errorf("the module has no %s/%s", folder, chartFile)
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("getting %s: %w", row.ChartName(), err)
	}
	return filepath.Join(dir, filepath.Base(folder)), nil
}

// chartFile is a file that every chart has.
const chartFile = "Chart.yaml"

func (b *Builder) chartFolder(row table.Component) (dir string, outputs []string) {
	key := cache.Key([]byte(row.Chart.Module + "@" + row.Version + " " + row.Chart.Folder))
	return b.built(row.ChartName(), key), []string{filepath.Join(filepath.Base(row.Chart.Folder), chartFile)}
}

// moduleFolder returns the folder of the chart's module in the Go module cache. It downloads the
// module if necessary. The module of the component's programs requires it.
func (b *Builder) moduleFolder(ctx context.Context, row table.Component) (string, error) {
	// "go mod download -json" also prints the folder of a downloaded module, without using the
	// network.
	out, err := b.goCommand(ctx, row.Source.Module, "mod", "download", "-json", row.Chart.Module).Output()
	if err := gocmd.NoGo(err); err != nil {
		return "", err
	}
	var module struct{ Dir, Version, Error string }
	if decodeErr := json.Unmarshal(out, &module); decodeErr != nil {
		return "", fmt.Errorf("finding module %s: %w", row.Chart.Module, errors.Join(err, gocmd.ExitText(err), decodeErr))
	}
	switch {
	case module.Error != "":
		return "", fmt.Errorf("finding module %s: %s", row.Chart.Module, module.Error)
	case module.Version != row.Version:
		return "", fmt.Errorf("finding module %s: go.mod has %s, want %s", row.Chart.Module, module.Version, row.Version)
	}
	return module.Dir, nil
}
