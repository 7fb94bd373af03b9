package image

import (
	"context"
	"path/filepath"
	"runtime"
)

// Programs builds the components as programs for this machine, where a [Source] builds images for a container engine's.
// It uses the same cache under the same keys: on Linux, what was built for kind's node is run as it is. Like a Source it
// lets one long build run at a time; what is in the cache waits for nobody. Its methods may be called from several
// goroutines, and commands.
type Programs struct{ source *Source }

// NewPrograms returns Programs that builds as a copy of b, for this machine's system and processor.
func NewPrograms(b *Builder) *Programs {
	local := *b
	local.OS, local.Arch = runtime.GOOS, runtime.GOARCH
	return &Programs{NewSource(&local)}
}

// ControlPlane is the paths of a control plane's programs, and of kubectl. They are links to one binary in one folder,
// which also serves envtest as KUBEBUILDER_ASSETS; the name that it is run by chooses what it is, so none may be
// resolved or copied under another name.
type ControlPlane struct {
	Etcd, APIServer, ControllerManager, Scheduler, Kubectl string
}

// ControlPlane builds Kubernetes and etcd: about ten minutes on two processors, if nothing is cached.
func (p *Programs) ControlPlane(ctx context.Context, report Report) (ControlPlane, error) {
	dir, err := p.linked(ctx, kubernetes, report)
	if err != nil {
		return ControlPlane{}, err
	}
	in := func(name string) string { return filepath.Join(dir, "assets", name) }
	return ControlPlane{
		Etcd: in("etcd"), APIServer: in("kube-apiserver"), ControllerManager: in("kube-controller-manager"),
		Scheduler: in("kube-scheduler"), Kubectl: in("kubectl"),
	}, nil
}

// CertManagerPaths is the paths of cert-manager's programs and of its chart's folder. The programs are links to one
// binary, as those of [ControlPlane] are.
type CertManagerPaths struct {
	Controller, CAInjector, Webhook string
	ChartDir                        string
}

// CertManager builds cert-manager's programs and gets its chart.
func (p *Programs) CertManager(ctx context.Context, report Report) (CertManagerPaths, error) {
	dir, err := p.linked(ctx, certManager, report)
	if err != nil {
		return CertManagerPaths{}, err
	}
	paths := CertManagerPaths{
		Controller: filepath.Join(dir, "controller"), CAInjector: filepath.Join(dir, "cainjector"), Webhook: filepath.Join(dir, "webhook"),
	}
	if paths.ChartDir, err = p.source.Chart(ctx, report); err != nil {
		return CertManagerPaths{}, err
	}
	return paths, nil
}

// Jaeger builds Jaeger, all in one, and returns its path.
func (p *Programs) Jaeger(ctx context.Context, report Report) (string, error) {
	dir, err := p.source.inTurn(ctx, jaeger, report)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "jaeger"), nil
}

// Kwok is what is needed to run kwok, which plays the node.
type Kwok struct {
	// Path is the program's.
	Path string
}

// Kwok builds kwok.
func (p *Programs) Kwok(ctx context.Context, report Report) (Kwok, error) {
	dir, err := p.source.inTurn(ctx, kwok, report)
	if err != nil {
		return Kwok{}, err
	}
	return Kwok{Path: filepath.Join(dir, "kwok")}, nil
}

// linked builds a component whose one binary is several programs.
func (p *Programs) linked(ctx context.Context, c component, report Report) (string, error) {
	dir, err := p.source.inTurn(ctx, c, report)
	if err != nil {
		return "", err
	}
	return dir, c.link(dir) // A build from before components had links lacks them.
}

// ControlPlaneBinaries returns the folder with kube-apiserver, etcd and kubectl for this machine, for envtest's
// KUBEBUILDER_ASSETS.
func (b *Builder) ControlPlaneBinaries(ctx context.Context, report Report) (string, error) {
	programs, err := NewPrograms(b).ControlPlane(ctx, report)
	if err != nil {
		return "", err
	}
	return filepath.Dir(programs.Etcd), nil
}
