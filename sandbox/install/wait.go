package install

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/project"
)

// pollInterval is how often an object is asked for while it is waited for.
const pollInterval = 100 * time.Millisecond

// WaitReady waits until every object exists and is ready in kstatus's sense: a Deployment has rolled out, a
// CustomResourceDefinition is established and its objects can be listed. A custom resource must also have a Ready condition that is True. It polls
// until ctx ends; the error then names an object that wasn't ready, its last condition and, for a Deployment, what holds
// its Pods up. No status counts as final: a Deployment past its progress deadline may still recover.
func WaitReady(ctx context.Context, c *Cluster, objects []*unstructured.Unstructured) error {
	return each(ctx, objects, func(ctx context.Context, obj *unstructured.Unstructured) error {
		err := poll(ctx, "waiting for "+describe(obj), func(ctx context.Context) error { return ready(ctx, c, obj) })
		if err != nil {
			return errors.Join(err, podTrouble(ctx, c, obj))
		}
		return nil
	})
}

// ready returns nil if the object that obj names exists and is ready, and otherwise what is missing.
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

// served lists an object of each version that a definition serves. The API server makes their storage only when it is first
// asked for, and meanwhile sends clients away for whole seconds (429 with Retry-After: 1): asking early, and again soon,
// spares those who come next the wait.
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
		result := c.clientset.Discovery().RESTClient().Get().AbsPath(path...).Param("limit", "1").MaxRetries(0).Do(ctx)
		if err := result.Error(); err != nil {
			return fmt.Errorf("listing %s: %w", crd.Name, err)
		}
	}
	for _, condition := range crd.Status.Conditions {
		if condition.Type == apiextensionsv1.Established {
			c.noteEstablished(condition.LastTransitionTime.Time)
		}
	}
	return nil
}

// Ready judges an object as it was read: nil if it is ready for its current generation, else what is missing, with its
// last condition. Kinds that kstatus does not know must have a true condition Ready.
func Ready(live *unstructured.Unstructured) error {
	result, err := status.Compute(live)
	if err != nil {
		return fmt.Errorf("computing its status: %w", err)
	}
	if result.Status == status.CurrentStatus {
		if phaseOf(live) == phaseCustom {
			return conditionIs(live, project.Ready)
		}
		return nil
	}
	message := fmt.Sprintf("%s: %s", result.Status, result.Message)
	if last := lastCondition(live); last != "" {
		message += "; " + last
	}
	return errors.New(message)
}

// Came judges an object of the sample's, as it was read: nil if it has come to the subject's condition. Objects of Kubernetes' own
// kinds are judged by [Ready].
func (c *Cluster) Came(live *unstructured.Unstructured) error {
	if phaseOf(live) != phaseCustom || c.subject.Condition == project.Ready {
		return Ready(live)
	}
	return conditionIs(live, c.subject.Condition)
}

// conditionIs wants a condition with a status, for the object's generation. kstatus is content with an object that nobody has
// looked at yet, because not every kind has conditions; those that the sandbox makes do.
func conditionIs(live *unstructured.Unstructured, want project.Condition) error {
	conditions, _, err := unstructured.NestedSlice(live.Object, "status", "conditions")
	if err != nil {
		return err
	}
	for _, item := range conditions {
		condition, _ := item.(map[string]any)
		if condition["type"] != want.Type {
			continue
		}
		observed, known := condition["observedGeneration"].(int64)
		switch {
		case condition["status"] != want.Status:
			return errors.New(lastCondition(live))
		case known && observed != live.GetGeneration():
			return fmt.Errorf("%s is of generation %d, the object is at %d", want.Type, observed, live.GetGeneration())
		}
		return nil
	}
	return errors.New("no condition " + want.Type + " yet")
}

// lastCondition renders the condition of obj that changed last, or "" if it has none.
func lastCondition(obj *unstructured.Unstructured) string {
	conditions, _, err := unstructured.NestedSlice(obj.Object, "status", "conditions")
	if err != nil || len(conditions) == 0 {
		return ""
	}
	field := func(condition any, name string) string {
		m, _ := condition.(map[string]any)
		text, _ := m[name].(string)
		return text
	}
	// Times are RFC 3339 in UTC, so their order is that of their text.
	last := slices.MaxFunc(conditions, func(a, b any) int {
		return strings.Compare(field(a, "lastTransitionTime"), field(b, "lastTransitionTime"))
	})
	text := fmt.Sprintf("condition %s=%s", field(last, "type"), field(last, "status"))
	if reason := field(last, "reason"); reason != "" {
		text += " (" + reason + ")"
	}
	if message := field(last, "message"); message != "" {
		text += ": " + message
	}
	return text
}

// poll runs check every pollInterval until it returns nil or ctx ends; the error then holds the last failure.
func poll(ctx context.Context, what string, check func(context.Context) error) error {
	last := errors.New("no answer yet")
	err := wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
		err := check(ctx)
		// A failure by the end of ctx hides the one that explains it.
		if err != nil && ctx.Err() == nil {
			last = err
		}
		return err == nil, nil
	})
	return explain(what, err, last)
}
