package embedded

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// OperatorOptions are how the operator runs.
type OperatorOptions struct {
	// Program is its path.
	Program string
	// Process says how it runs, for the ports that are chosen. It is asked again for each start.
	Process func(project.Place) (*project.Process, error)
	// Env is added to its environment, or replaces what is there.
	Env map[string]string
}

// OperatorWebhookAddress is where the API server reaches the operator's webhook, as host:port.
func (c *Cluster) OperatorWebhookAddress() string {
	own, _ := c.ports()
	return fmt.Sprintf("localhost:%d", own.OperatorHook)
}

// Operator starts the operator with the service account and the flags of its Pod. The objects of
// package manifest must exist, and the certificate of its webhook.
func (c *Cluster) Operator(ctx context.Context, options OperatorOptions, report Report) error {
	probed := false
	_, err := c.start(ctx, service{
		name: component.Operator, spec: func() (process.Spec, error) {
			spec, answers, err := c.operator(ctx, options)
			probed = answers
			return spec, err
		},
		ports: func(p *state.ComponentPorts) []*int {
			if c.OperatorPort != 0 {
				return []*int{&p.OperatorHealth}
			}
			return []*int{&p.OperatorHook, &p.OperatorHealth}
		},
		ready: func(ctx context.Context) error {
			if !probed {
				return nil
			}
			own, _ := c.ports()
			return answers(ctx, http.DefaultClient, "http://"+address(own.OperatorHealth)+"/readyz")
		},
	}, report)
	return err
}

// operator tells also whether the process answers at the address of its probes.
func (c *Cluster) operator(ctx context.Context, options OperatorOptions) (process.Spec, bool, error) {
	own, jaeger := c.ports()
	folder, err := c.folder(component.Operator)
	if err != nil {
		return process.Spec{}, false, err
	}
	p, err := options.Process(project.Place{
		Folder: folder, WebhookPort: own.OperatorHook, ProbeAddress: address(own.OperatorHealth), Env: options.Env,
		Telemetry: project.Telemetry{Host: "127.0.0.1", Ports: jaeger},
	})
	if err != nil {
		return process.Spec{}, false, err
	}
	if err := os.MkdirAll(filepath.Join(folder, "tmp"), 0o700); err != nil { // TMPDIR
		return process.Spec{}, false, fmt.Errorf("making the operator's folder: %w", state.Remedy(err))
	}
	for _, place := range slices.Sorted(maps.Keys(p.Secrets)) {
		if err := c.copySecret(ctx, p.Namespace, p.Secrets[place], place); err != nil {
			return process.Spec{}, false, err
		}
	}
	specOf := c.accountSpec
	if c.Tracing {
		specOf = c.tracedAccountSpec
	}
	spec, err := specOf(ctx, component.Operator, p.Namespace, p.Account, options.Program, p.Args...)
	for _, v := range p.Env {
		spec.Env = append(spec.Env, v.Name+"="+v.Value)
	}
	return spec, p.Probed, err
}

// copySecret writes a certificate that cert-manager issued where the operator reads it, as a kubelet would mount the Secret. The
// operator sees when the files change.
func (c *Cluster) copySecret(ctx context.Context, namespace, name, folder string) error {
	client, err := c.clientset()
	if err != nil {
		return err
	}
	secret, err := client.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("reading the operator's certificate: %w", err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("making the folder of the operator's certificate: %w", state.Remedy(err))
	}
	// The key first: a certificate that is new wakes the operator, which reads both.
	for _, key := range slices.Backward(slices.Sorted(maps.Keys(secret.Data))) {
		if err := write(filepath.Join(folder, key), string(secret.Data[key])); err != nil {
			return err
		}
	}
	return nil
}
