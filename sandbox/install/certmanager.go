package install

import "context"

// CertManagerVersion is the version of cert-manager that is installed.
const CertManagerVersion = "v1.21.2"

// CertManagerOptions configures [CertManager].
type CertManagerOptions struct {
	// ChartDir is the chart's folder, as [ChartDir] finds it.
	ChartDir string
	// Controller, CAInjector and Webhook are the images; a zero Image leaves the chart's own at CertManagerVersion.
	Controller, CAInjector, Webhook Image
}

// ChartDir returns the folder of cert-manager's chart in the Go module cache, downloading the module if need be.
// The go command must be on PATH and the working folder inside this repository.
func ChartDir(ctx context.Context) (string, error) { return "", nil }

// CertManager renders cert-manager from its chart.
func CertManager(o CertManagerOptions) (*Component, error) {
	return &Component{Name: CertManagerName, Version: CertManagerVersion}, nil
}
