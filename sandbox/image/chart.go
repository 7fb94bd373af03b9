package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// asset is a folder of files that a module holds beside its Go code, kept in the cache so that the Go command is not
// needed to find it again.
type asset struct {
	name    string // what the cache calls it
	within  string // folder, below the repository's root, of the module whose go.mod requires it
	module  string
	version string // what within must require
	folder  string // in the module
	holds   string // a file that the folder must have
}

// chart is cert-manager's Helm chart, from the module that its programs are built of.
var chart = asset{
	name: "cert-manager-chart", within: certManager.module,
	module: "github.com/cert-manager/cert-manager", version: CertManagerVersion,
	folder: "deploy/charts/cert-manager", holds: "Chart.yaml",
}

// Chart returns the folder with cert-manager's Helm chart, of the version that the images and programs have. It needs
// the Go command, and perhaps the network, only if the chart is not in the cache. It says nothing if it is.
func (b *Builder) Chart(ctx context.Context, report Report) (dir string, err error) {
	return b.asset(ctx, chart, report)
}

// asset returns the folder with a's files, copied out of the Go module cache if they are not in the sandbox's.
func (b *Builder) asset(ctx context.Context, a asset, report Report) (string, error) {
	dir, outputs := b.assetFolder(a), a.outputs()
	files := filepath.Join(dir, filepath.Base(a.folder))
	if use(dir, outputs) {
		return files, nil
	}
	report.say("getting %s out of its module", a.name)
	err := fill(dir, outputs, func(temporary string) error {
		module, err := b.moduleFolder(ctx, a)
		if err != nil {
			return err
		}
		if err := os.CopyFS(filepath.Join(temporary, filepath.Base(a.folder)), os.DirFS(filepath.Join(module, a.folder))); err != nil {
			return fmt.Errorf("copying %s of the module: %w", a.folder, err)
		}
		if !complete(temporary, outputs) {
			return fmt.Errorf("the module has no %s/%s", a.folder, a.holds)
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("getting %s: %w", a.name, err)
	}
	return files, nil
}

// moduleFolder finds a's module in the Go module cache, and has it downloaded if it is not there.
func (b *Builder) moduleFolder(ctx context.Context, a asset) (string, error) {
	// "go mod download -json" also says where a module is that was downloaded before, and then needs no network.
	out, err := b.goCommand(ctx, a.within, "mod", "download", "-json", a.module).Output()
	if err := noGo(err); err != nil {
		return "", err
	}
	var module struct{ Dir, Version, Error string }
	if decodeErr := json.Unmarshal(out, &module); decodeErr != nil {
		return "", fmt.Errorf("finding module %s: %w", a.module, errors.Join(err, exitText(err), decodeErr))
	}
	switch {
	case module.Error != "":
		return "", fmt.Errorf("finding module %s: %s", a.module, module.Error)
	case module.Version != a.version:
		return "", fmt.Errorf("finding module %s: go.mod has %s, want %s", a.module, module.Version, a.version)
	}
	return module.Dir, nil
}
