package embedded

import (
	"context"
	"errors"
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

// OperatorOptions are the options for the operator.
type OperatorOptions struct {
	// Program is the path of the program.
	Program string
	// Process returns the process for the chosen ports. It is called for each start.
	Process func(project.Place) (*project.Process, error)
	// Env is added to its environment, and overrides existing variables.
	Env map[string]string
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
		ready: func(ctx context.Context) error {
			if !probed {
				return c.hasSettled(component.Operator)
			}
			own, _ := c.ports()
			return answers(ctx, http.DefaultClient, "http://"+address(own[component.OperatorHealth])+"/readyz")
		},
	}, report)
	return err
}

// operator returns the process of the operator. probed is true if it answers probes.
func (c *Cluster) operator(ctx context.Context, options OperatorOptions) (spec process.Spec, probed bool, err error) {
	own, jaeger := c.ports()
	folder, err := c.folder(component.Operator)
	if err != nil {
		return process.Spec{}, false, err
	}
	p, err := options.Process(project.Place{
		Folder: folder, WebhookPort: own[component.OperatorHook], ProbeAddress: address(own[component.OperatorHealth]), Env: options.Env,
		WebhookClientCA: c.authorities.webhook.CertFile, Telemetry: project.Telemetry{Host: "127.0.0.1", Ports: jaeger},
	})
	if err != nil {
		return process.Spec{}, false, err
	}
	for _, folder := range p.Folders {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return process.Spec{}, false, fmt.Errorf("creating a folder of the operator: %w", state.Remedy(err))
		}
	}
	if err := c.copyVolumes(ctx, p); err != nil {
		return process.Spec{}, false, err
	}
	specOf := c.accountSpec
	if c.Tracing {
		specOf = c.tracedAccountSpec
	}
	spec, err = specOf(ctx, component.Operator, p.Namespace, p.Account, options.Program, p.Args...)
	spec.Revision += c.authorities.webhook.Fingerprint()
	for _, v := range p.Env {
		spec.Env = append(spec.Env, v.Name+"="+v.Value)
	}
	return spec, p.Probed, err
}

// copyVolumes copies Secrets and ConfigMaps to the folders where the operator reads them, as the
// kubelet would mount them. The operator watches the files of certificates.
func (c *Cluster) copyVolumes(ctx context.Context, p *project.Process) error {
	client, err := c.clientset()
	if err != nil {
		return err
	}
	for folder, name := range p.Secrets {
		secret, err := client.CoreV1().Secrets(p.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("reading a volume of the operator: %w", err)
		}
		if err := writeAll(folder, secret.Data); err != nil {
			return err
		}
	}
	for folder, name := range p.ConfigMaps {
		configMap, err := client.CoreV1().ConfigMaps(p.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("reading a volume of the operator: %w", err)
		}
		if err := errors.Join(writeAll(folder, configMap.Data), writeAll(folder, configMap.BinaryData)); err != nil {
			return err
		}
	}
	return nil
}

// writeAll writes the key of a certificate before the certificate: a new certificate makes the
// operator read both.
func writeAll[T string | []byte](folder string, data map[string]T) error {
	for _, key := range slices.Backward(slices.Sorted(maps.Keys(data))) {
		if err := write(filepath.Join(folder, key), string(data[key])); err != nil {
			return err
		}
	}
	return nil
}
