package apply

import (
	"context"
	"fmt"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/project/condition"
)

// WaitReady waits until every object exists and is ready; see [Ready]. The objects of a definition
// must also be listable. It polls until ctx ends; the error then names an object that is not ready,
// with its last condition. No status is final: a Deployment past its progress deadline may still
// recover.
func WaitReady(ctx context.Context, c *Cluster, objects []*unstructured.Unstructured) error {
	_, err := each(ctx, objects, func(ctx context.Context, obj *unstructured.Unstructured) (struct{}, error) {
		return struct{}{}, Poll(ctx, "waiting for "+Describe(obj), func(ctx context.Context) error { return ready(ctx, c, obj) })
	})
	return err
}

func ready(ctx context.Context, c *Cluster, obj *unstructured.Unstructured) error {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(obj.GroupVersionKind())
	if err := c.client.Get(ctx, client.ObjectKeyFromObject(obj), live); err != nil {
		return err
	}
	if err := Ready(live); err != nil || phaseOf(live) != phaseDefinitions {
		return err
	}
	return served(ctx, c, live)
}

// served lists an object of each version that a definition serves. The API server creates their
// storage when the first request arrives, and until then answers others with 429 and Retry-After:
// 1. An early request, which is soon repeated, saves later clients that second.
func served(ctx context.Context, c *Cluster, definition *unstructured.Unstructured) error {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(definition.Object, crd); err != nil {
		return fmt.Errorf("reading the definition: %w", err)
	}
	for _, version := range crd.Spec.Versions {
		if !version.Served {
			continue
		}
		path := []string{"/apis", crd.Spec.Group, version.Name, crd.Spec.Names.Plural}
		// If a version needs the operator's conversion webhook, the operator may not run yet.
		result := c.clientset.Discovery().RESTClient().Get().AbsPath(path...).Param("limit", "1").MaxRetries(0).Do(ctx)
		if err := result.Error(); err != nil && !strings.Contains(err.Error(), "conversion webhook") {
			return fmt.Errorf("listing %s: %w", crd.Name, err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, is := range crd.Status.Conditions {
		if at := is.LastTransitionTime.Time; is.Type == apiextensionsv1.Established && at.After(c.established) {
			c.established = at
		}
	}
	return nil
}

// Ready returns nil if an object, as it was read, is ready for its current generation in the sense
// of kstatus: a Deployment has rolled out, a definition is established. A custom resource must also
// have the condition Ready with the status True. The error has the last condition.
func Ready(live *unstructured.Unstructured) error {
	result, err := status.Compute(live)
	if err != nil {
		return fmt.Errorf("computing its status: %w", err)
	}
	if result.Status == status.CurrentStatus {
		if phaseOf(live) == phaseCustom {
			return condition.Ready.Met(live)
		}
		return nil
	}
	last := condition.Last(live)
	switch {
	case last == "":
		return fmt.Errorf("%s: %s", result.Status, result.Message)
	case strings.HasSuffix(last, result.Message): // The message of the condition is the reason of kstatus, too.
		return fmt.Errorf("%s: %s", result.Status, last)
	}
	return fmt.Errorf("%s: %s; %s", result.Status, result.Message, last)
}

// ReachedCondition returns nil if an object of the sample, as it was read, has the condition of the
// subject. For the kinds of Kubernetes it is [Ready].
func (c *Cluster) ReachedCondition(live *unstructured.Unstructured) error {
	if phaseOf(live) != phaseCustom || c.subject.Condition == condition.Ready {
		return Ready(live)
	}
	return c.subject.Condition.Met(live)
}
