package build

import (
	"context"
	"path/filepath"
	"runtime"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
)

// Programs builds the components as programs of this machine. It shares the cache and its keys with
// [Source]: on Linux, the builds for kind's node run here unchanged. It also runs one build at a time.
// Its methods can be called by several goroutines and by several commands at the same time.
type Programs struct{ source *Source }

// NewPrograms returns Programs that build with a copy of b for this machine's system and processor.
func NewPrograms(b *Builder) *Programs {
	local := *b
	local.OS, local.Arch = runtime.GOOS, runtime.GOARCH
	return &Programs{NewSource(&local)}
}

// ControlPlane builds Kubernetes and etcd. It takes about ten minutes on two processors if nothing is
// cached.
func (p *Programs) ControlPlane(ctx context.Context, report artifact.Report) (artifact.ControlPlane, error) {
	dir, err := p.linked(ctx, kubernetes, report)
	if err != nil {
		return artifact.ControlPlane{}, err
	}
	in := func(name string) string { return filepath.Join(dir, "assets", name) }
	return artifact.ControlPlane{
		Etcd: in("etcd"), APIServer: in("kube-apiserver"), ControllerManager: in("kube-controller-manager"),
		Scheduler: in("kube-scheduler"), Kubectl: in("kubectl"),
	}, nil
}

// CertManager builds cert-manager's programs and gets its chart.
func (p *Programs) CertManager(ctx context.Context, report artifact.Report) (artifact.CertManagerPaths, error) {
	dir, err := p.linked(ctx, certManager, report)
	if err != nil {
		return artifact.CertManagerPaths{}, err
	}
	paths := artifact.CertManagerPaths{
		Controller: filepath.Join(dir, "controller"), CAInjector: filepath.Join(dir, "cainjector"), Webhook: filepath.Join(dir, "webhook"),
	}
	paths.ChartDir, err = p.source.Chart(ctx, report)
	return paths, err
}

// Jaeger builds Jaeger, all in one, and returns its path.
func (p *Programs) Jaeger(ctx context.Context, report artifact.Report) (string, error) {
	dir, err := p.source.inTurn(ctx, jaeger, report)
	return filepath.Join(dir, "jaeger"), err
}

// Kwok builds kwok, which simulates the node, and returns its path.
func (p *Programs) Kwok(ctx context.Context, report artifact.Report) (string, error) {
	dir, err := p.source.inTurn(ctx, kwok, report)
	return filepath.Join(dir, "kwok"), err
}

// Operator builds an operator. It returns the program's path and the key of its build: equal sources
// have equal keys.
func (p *Programs) Operator(ctx context.Context, program Program, report artifact.Report) (path, key string, err error) {
	var dir string
	if len(program.Sources) > 0 {
		dir, err = p.source.inTurn(ctx, program.component(), report)
	} else {
		dir, err = p.source.alone(ctx, report, func() (string, error) { return p.source.runGo(ctx, program, report) })
	}
	if err != nil {
		return "", "", err
	}
	return filepath.Join(dir, OperatorProgram), cache.KeyOf(dir), nil
}

// linked builds a component whose one binary is several programs.
func (p *Programs) linked(ctx context.Context, c component, report artifact.Report) (string, error) {
	dir, err := p.source.inTurn(ctx, c, report)
	if err != nil {
		return "", err
	}
	return dir, c.link(dir) // Builds of old versions have no links.
}

// ControlPlaneBinaries returns the folder with kube-apiserver, etcd and kubectl for this machine, for
// envtest's KUBEBUILDER_ASSETS.
func (b *Builder) ControlPlaneBinaries(ctx context.Context, report artifact.Report) (string, error) {
	programs, err := NewPrograms(b).ControlPlane(ctx, report)
	if err != nil {
		return "", err
	}
	return filepath.Dir(programs.Etcd), nil
}
