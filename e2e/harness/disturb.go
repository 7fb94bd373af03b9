package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// This file has the disturbances of the whole cluster. Each has a method that reverts it, and that
// does nothing if there is nothing to revert. reset calls all of them.

const (
	webhookConfiguration = "operator-tracing-mutating-webhook-configuration"
	// restoreAnnotation stores the address of the webhook while the API server cannot reach it, so
	// that the next tests can restore it after a kill.
	restoreAnnotation = "e2e.example.com/webhook"
	// nowhere is a port without a listener.
	nowhere = 1
)

// reset reverts all disturbances. Afterwards the operator has the given values of the variables
// that tests may set.
func (c *Cluster) reset(ctx context.Context, env map[string]string) error {
	if err := c.StartJaeger(ctx); err != nil {
		return err
	}
	if err := c.Uncordon(ctx); err != nil {
		return err
	}
	if err := c.restoreWebhook(ctx); err != nil {
		return err
	}
	if err := c.SetOperatorReplicas(ctx, 1); err != nil {
		return err
	}
	if err := c.SetOperatorEnv(ctx, env); err != nil {
		return err
	}
	return c.WaitAdmission(ctx)
}

// BreakWebhook changes the webhook's address to a port without a listener, and waits until the API
// server uses it. The operator keeps running.
func (c *Cluster) BreakWebhook(ctx context.Context) error {
	err := c.changeWebhook(ctx, func(hook *admissionregistrationv1.MutatingWebhookConfiguration) error {
		if hook.Annotations[restoreAnnotation] != "" {
			return nil
		}
		was, err := json.Marshal(hook.Webhooks[0].ClientConfig)
		if err != nil {
			return err
		}
		metav1.SetMetaDataAnnotation(&hook.ObjectMeta, restoreAnnotation, string(was))
		return pointNowhere(&hook.Webhooks[0].ClientConfig)
	})
	if err != nil {
		return err
	}
	return Eventually(ctx, rolloutLimit, "Heads to be admitted without the webhook", func(ctx context.Context) error {
		head, err := c.dryRun(ctx)
		if err == nil && head.Annotations[tracetree.TraceparentAnnotation] != "" {
			err = errors.New("a Head created in a dry run has a trace context")
		}
		return err
	})
}

func pointNowhere(config *admissionregistrationv1.WebhookClientConfig) error {
	switch {
	case config.Service != nil:
		config.Service.Port = ptr.To[int32](nowhere)
	case config.URL != nil:
		scheme, rest, _ := strings.Cut(*config.URL, "://")
		address, path, _ := strings.Cut(rest, "/")
		host, _, _ := strings.Cut(address, ":")
		config.URL = ptr.To(fmt.Sprintf("%s://%s:%d/%s", scheme, host, nowhere, path))
	default:
		return errors.New("the webhook has neither a Service nor a URL")
	}
	return nil
}

// RestoreWebhook reverts BreakWebhook, and waits until the API server calls the webhook again.
func (c *Cluster) RestoreWebhook(ctx context.Context) error {
	if err := c.restoreWebhook(ctx); err != nil {
		return err
	}
	return c.WaitAdmission(ctx)
}

func (c *Cluster) restoreWebhook(ctx context.Context) error {
	return c.changeWebhook(ctx, func(hook *admissionregistrationv1.MutatingWebhookConfiguration) error {
		was := hook.Annotations[restoreAnnotation]
		if was == "" {
			return nil
		}
		delete(hook.Annotations, restoreAnnotation)
		hook.Webhooks[0].ClientConfig = admissionregistrationv1.WebhookClientConfig{}
		return json.Unmarshal([]byte(was), &hook.Webhooks[0].ClientConfig)
	})
}

func (c *Cluster) changeWebhook(ctx context.Context, change func(*admissionregistrationv1.MutatingWebhookConfiguration) error) error {
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		hook := &admissionregistrationv1.MutatingWebhookConfiguration{}
		if err := c.Client.Get(ctx, client.ObjectKey{Name: webhookConfiguration}, hook); err != nil {
			return err
		}
		if len(hook.Webhooks) != 1 {
			return fmt.Errorf("found %d webhooks, want 1", len(hook.Webhooks))
		}
		if err := change(hook); err != nil {
			return err
		}
		return c.Client.Update(ctx, hook)
	})
	if err != nil {
		return fmt.Errorf("changing MutatingWebhookConfiguration %s: %w", webhookConfiguration, err)
	}
	return nil
}

// Cordon makes the nodes unschedulable, so that new Pods stay pending and their owners do not
// become ready.
func (c *Cluster) Cordon(ctx context.Context) error { return c.setUnschedulable(ctx, true) }

// Uncordon reverts Cordon. Pending Pods are scheduled immediately.
func (c *Cluster) Uncordon(ctx context.Context) error {
	return c.setUnschedulable(ctx, false)
}

func (c *Cluster) setUnschedulable(ctx context.Context, want bool) error {
	nodes := &corev1.NodeList{}
	if err := c.Client.List(ctx, nodes); err != nil {
		return fmt.Errorf("listing the nodes: %w", err)
	}
	for i := range nodes.Items {
		node := &nodes.Items[i]
		if node.Spec.Unschedulable == want {
			continue
		}
		before := client.MergeFrom(node.DeepCopy())
		node.Spec.Unschedulable = want
		if err := client.IgnoreNotFound(c.Client.Patch(ctx, node, before)); err != nil {
			return fmt.Errorf("setting node %s to unschedulable=%t: %w", node.Name, want, err)
		}
	}
	return nil
}
