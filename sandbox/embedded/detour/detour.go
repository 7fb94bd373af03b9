// Package detour runs the operator of an embedded cluster behind a proxy of the API server, or stops it,
// for the duration of one command. Nothing else of the process changes.
//
// The process keeps its record under the operator's name, with another revision. So the next up
// replaces an operator that an interrupted command left behind its proxy, and status can name the
// cause.
package detour

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/file"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/pki"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

const (
	// suffix ends the name of the kubeconfig of an operator behind a proxy, and the revision of its
	// process.
	suffix = "-detour"
	// variable starts the entry of a process's environment that names its kubeconfig.
	variable = "KUBECONFIG="
	// atOnce is the time between SIGTERM and SIGKILL for an operator that crashes.
	atOnce = time.Nanosecond
	// settled is how long an operator without a probe must run before it is ready.
	settled = time.Second
	// answerLimit is the time limit for one answer of the operator's probe.
	answerLimit = 5 * time.Second
)

// Operator is the operator of an embedded cluster. It is safe for concurrent use. The caller must hold
// the lock of the sandbox.
type Operator struct {
	// Certificate and ClientCA are for the server of the proxy.
	Certificate *pki.Pair
	ClientCA    string
	// Client is the configuration of the operator's own client.
	Client *rest.Config

	mu         sync.Mutex // of the process
	table      process.Table
	direct     process.Spec
	kubeconfig string
	probe      string // address of its probe; empty if it has none
}

// New returns the operator, which must be running. It changes no process.
func New(dir state.Dir, ports component.Ports) (*Operator, error) {
	o := &Operator{table: tableOf(dir)}
	p, err := o.table.Find(component.Operator)
	if err != nil {
		return nil, fmt.Errorf("finding the operator: %w", err)
	}
	if p == nil {
		return nil, &hint.Error{Format: "the operator is not running: run %s", Commands: []string{"up"}}
	}
	o.direct = direct(p.Spec)
	if o.kubeconfig = kubeconfigIn(o.direct); o.kubeconfig == "" {
		return nil, errors.New("finding the kubeconfig of the operator: its environment has no KUBECONFIG")
	}
	probe := net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[component.OperatorHealth]))
	if slices.ContainsFunc(slices.Concat(o.direct.Args, o.direct.Env), func(text string) bool { return strings.HasSuffix(text, probe) }) {
		o.probe = probe
	}
	authority, _, err := pki.Store{Dir: dir.PKI()}.Authority("ca")
	if err != nil {
		return nil, state.Remedy(err)
	}
	o.ClientCA = authority.CertFile
	o.Certificate, _, err = authority.Certificate(pki.Request{Name: "fault-proxy", CommonName: "fault-proxy", Hosts: []string{"127.0.0.1"}, Server: true})
	if err != nil {
		return nil, state.Remedy(err)
	}
	if o.Client, err = clientcmd.BuildConfigFromFlags("", o.kubeconfig); err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of the operator: %w", err)
	}
	return o, nil
}

// Spec describes the process without a proxy.
func (o *Operator) Spec() process.Spec { return o.direct }

// Left reports whether an interrupted command left the operator behind its proxy.
func Left(dir state.Dir) (bool, error) {
	p, err := tableOf(dir).Find(component.Operator)
	return p != nil && isDetoured(p.Spec), err
}

func tableOf(dir state.Dir) process.Table {
	return process.Table{Records: dir.Records(), Logs: dir.Logs(), Mark: dir.Path}
}

func isDetoured(spec process.Spec) bool { return strings.HasSuffix(spec.Revision, suffix) }

// direct returns the process without a proxy.
func direct(spec process.Spec) process.Spec {
	if isDetoured(spec) {
		spec.Revision = strings.TrimSuffix(spec.Revision, suffix)
		spec.Env = withKubeconfig(spec.Env, strings.TrimSuffix(kubeconfigIn(spec), suffix))
	}
	return spec
}

func kubeconfigIn(spec process.Spec) string {
	for _, entry := range spec.Env {
		if path, ok := strings.CutPrefix(entry, variable); ok && filepath.IsAbs(path) {
			return path
		}
	}
	return ""
}

func withKubeconfig(env []string, path string) []string {
	env = slices.Clone(env)
	for i, entry := range env {
		if strings.HasPrefix(entry, variable) {
			env[i] = variable + path
		}
	}
	return env
}

// Start makes the operator run behind a proxy with this URL, and waits until it is ready. It restarts
// an operator that exited. The error is a *process.DiedError if the operator exits before it is ready.
func (o *Operator) Start(ctx context.Context, proxy string) error {
	config, err := clientcmd.LoadFromFile(o.kubeconfig)
	if err != nil {
		return fmt.Errorf("reading the kubeconfig of the operator: %w", err)
	}
	for _, cluster := range config.Clusters {
		cluster.Server, cluster.CertificateAuthority = proxy, o.ClientCA
	}
	text, err := clientcmd.Write(*config)
	if err == nil {
		err = file.Write(o.kubeconfig+suffix, text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("writing the kubeconfig of the operator: %w", state.Remedy(err))
	}
	spec := o.direct
	spec.Revision += suffix
	spec.Env = withKubeconfig(spec.Env, o.kubeconfig+suffix)
	return o.run(ctx, spec)
}

// Restore makes the operator run without the proxy, and waits until it is ready.
func (o *Operator) Restore(ctx context.Context) error { return o.run(ctx, o.direct) }

func (o *Operator) run(ctx context.Context, spec process.Spec) error {
	o.mu.Lock()
	_, _, err := o.table.Ensure(ctx, spec)
	o.mu.Unlock()
	if err != nil {
		return fmt.Errorf("starting the operator: %w", state.Remedy(err))
	}
	return o.table.Await(ctx, component.Operator, o.ready)
}

func (o *Operator) ready(ctx context.Context) error {
	if o.probe == "" {
		p, err := o.table.Find(component.Operator)
		if err == nil && (p == nil || time.Since(p.Started) < settled) {
			err = fmt.Errorf("it does not run for %s yet", settled)
		}
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+o.probe+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("its probe answers with status %s", response.Status)
	}
	return nil
}

// Stop stops the operator gracefully until [Operator.Restore].
func (o *Operator) Stop(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.table.Stop(ctx, component.Operator)
}

// StartAgain starts an operator that [Operator.Stop] of another process has stopped. It does nothing if
// another command has started it already.
func StartAgain(ctx context.Context, dir state.Dir, spec process.Spec) error {
	table := tableOf(dir)
	p, err := table.Find(component.Operator)
	if err == nil && p == nil {
		_, _, err = table.Ensure(ctx, spec)
	}
	if err != nil {
		return fmt.Errorf("starting the operator: %w", state.Remedy(err))
	}
	return nil
}

// Kill kills the operator as a crash does, and returns when it has ended. It returns nil if the
// operator does not run.
func (o *Operator) Kill(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	p, err := o.table.Find(component.Operator)
	if err != nil || p == nil {
		return err
	}
	p.Spec.Grace = atOnce
	return p.Stop(ctx)
}

// Exited returns a *process.DiedError with the end of the log if the operator does not run, and nil
// if it runs.
func (o *Operator) Exited() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	p, err := o.table.Find(component.Operator)
	if err != nil || p != nil {
		return err
	}
	return o.table.Died(component.Operator)
}

// Log returns the last lines of the operator's log.
func (o *Operator) Log(lines int) string { return o.table.Tail(component.Operator, lines) }
