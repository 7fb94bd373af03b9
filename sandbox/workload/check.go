package workload

import (
	"context"
	"errors"
	"fmt"

	"github.com/cert-manager/cert-manager/pkg/util/cmapichecker"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/cause"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/project/condition"
)

const (
	// ApplierName is the component with the permissions of [ApplierUser].
	ApplierName = "applier"
	// ApplierUser is the user that applies the sample if the control plane is traced.
	ApplierUser = "operator-tracing-sandbox"
)

// Check asks a component once whether it serves its users. The error explains why it does not.
type Check func(context.Context) error

// CheckOf returns the check of a component. A component without a check, such as Jaeger, always
// passes. The error means that the check cannot be prepared.
func CheckOf(c *apply.Cluster, name string) (Check, error) {
	check := func(context.Context, *apply.Cluster) error { return nil }
	switch name {
	case component.CertManager:
		return certManagerCheck(c)
	case component.Operator:
		check = operatorServes
	case component.Sample:
		check = sampleReady
	case component.Node:
		check = nodeReady
	case ApplierName:
		check = applierAllowed
	}
	return func(ctx context.Context) error { return check(ctx, c) }, nil
}

// Serves asks a component once whether it serves its users: cert-manager and the operator answer
// admission requests correctly, the sample is ready, the node accepts Pods. It reads no Deployment,
// so it works also for components that run as processes. See [CheckOf].
func Serves(ctx context.Context, c *apply.Cluster, name string) error {
	serves, err := CheckOf(c, name)
	if err != nil {
		return err
	}
	return serves(ctx)
}

// certManagerCheck creates, as dry runs, a request that cert-manager must fill in and one that it
// must deny. Only that proves that Pods, Services and injected certificates work together.
func certManagerCheck(c *apply.Cluster) (Check, error) {
	namespace := component.CertManager
	if c.Shared() { // The namespace of another owner's cert-manager is unknown.
		namespace = project.DefaultNamespace
	}
	checker, err := cmapichecker.New(c.Config(), namespace)
	if err != nil {
		return nil, fmt.Errorf("preparing the check of cert-manager's API: %w", err)
	}
	return func(ctx context.Context) error {
		if err := checker.Check(ctx); err != nil {
			return fmt.Errorf("checking cert-manager's API: %w", err)
		}
		return nil
	}, nil
}

// operatorServes creates an object like the sample as a dry run, which leaves no span. It fails if
// the webhook is unreachable. If the webhook's failure policy is Ignore, the annotation that the
// webhook adds must be there, if the subject names one; otherwise the API server must not have
// ignored a failure. A denial, by a webhook or by the schema, is an answer.
func operatorServes(ctx context.Context, c *apply.Cluster) error {
	subject := c.Subject()
	sample := subject.Samples[0]
	obj := sample.DeepCopy()
	obj.SetName("")
	obj.SetGenerateName("sandbox-check-")
	what := fmt.Sprintf("creating a %s as a dry run", sample.GetKind())
	annotation := subject.Annotation
	wantAnswers := func() error { return nil }
	if annotation == "" {
		var err error
		if wantAnswers, err = watchLenient(ctx, c, component.Operator); err != nil {
			return err
		}
	}
	err := c.Client().Create(ctx, obj, client.DryRunAll)
	if denied(err) { // Some kinds allow only certain names.
		obj = sample.DeepCopy()
		err = c.Client().Create(ctx, obj, client.DryRunAll)
	}
	switch {
	case apierrors.IsAlreadyExists(err):
		// The object was admitted before, and the name of the first attempt was denied.
	case err != nil && (annotation != "" || apply.Transient(err) || !denied(err)):
		return fmt.Errorf("%s: %w", what, err)
	case annotation != "" && obj.GetAnnotations()[annotation] == "":
		return fmt.Errorf("%s: the operator's webhook added no annotation %s", what, annotation)
	}
	return wantAnswers()
}

// watchLenient returns a function that fails if the API server ignored a failure of a component's
// webhook since the call. Without such webhooks it asks nothing.
func watchLenient(ctx context.Context, c *apply.Cluster, name string) (want func() error, err error) {
	webhooks, err := lenientWebhooks(ctx, c, name)
	if err != nil || len(webhooks) == 0 {
		return func() error { return nil }, err
	}
	before, err := IgnoredFailures(ctx, c)
	if apierrors.IsForbidden(err) { // The user of an existing cluster may have no access to the metrics.
		return func() error { return nil }, nil
	}
	return func() error {
		after, err := IgnoredFailures(ctx, c)
		if err != nil {
			return err
		}
		for _, webhook := range webhooks {
			if after[webhook] > before[webhook] {
				return fmt.Errorf("the webhook %s of the %s does not answer, and the API server ignores that (failurePolicy: Ignore)", webhook, name)
			}
		}
		return nil
	}, err
}

func denied(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err)
}

// sampleReady checks every object of the sample's kind that the sandbox applied. The operator's
// message about a kind that is not defined gets the remedy.
func sampleReady(ctx context.Context, c *apply.Cluster) error {
	err := allReady(ctx, c, component.Sample, "sample ", c.ReachedCondition)
	if err == nil {
		return nil
	}
	if remedy := cause.Remedy(err.Error()); remedy != "" {
		return fmt.Errorf("%w; %s", err, remedy)
	}
	return err
}

// allReady checks all main objects of a component, of which there must be one.
func allReady(ctx context.Context, c *apply.Cluster, name, adjective string, ready func(*unstructured.Unstructured) error) error {
	kind := mainKind(c, name)
	list, err := objectsOf(ctx, c, name, kind)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errors.New("no " + adjective + kind.Kind)
	}
	for i := range list {
		if err := ready(&list[i]); err != nil {
			return fmt.Errorf("%s: %w", apply.Describe(&list[i]), err)
		}
	}
	return nil
}

// nodeReady checks the Node, which kwok updates, and that kube-controller-manager has created the
// ServiceAccount that Pods need. It ignores the conditions that only a kubelet sets.
func nodeReady(ctx context.Context, c *apply.Cluster) error {
	ready := func(node *unstructured.Unstructured) error { return condition.Ready.Met(node) }
	if err := allReady(ctx, c, component.Node, "", ready); err != nil {
		return err
	}
	key := types.NamespacedName{Namespace: project.DefaultNamespace, Name: "default"}
	if err := c.Client().Get(ctx, key, &corev1.ServiceAccount{}); err != nil {
		return fmt.Errorf("reading ServiceAccount %s: %w", key, err)
	}
	return nil
}

// applierAllowed asks the API server for the permissions of the user: a new role has an effect only
// a moment later.
func applierAllowed(ctx context.Context, c *apply.Cluster) error {
	resources, err := SampleResources(c)
	if err != nil {
		return err
	}
	for _, r := range resources {
		review, err := c.Clientset().AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{User: ApplierUser, ResourceAttributes: &r},
		}, metav1.CreateOptions{})
		if err != nil {
			return fmt.Errorf("reviewing the access of user %s: %w", ApplierUser, err)
		}
		if !review.Status.Allowed {
			return fmt.Errorf("user %s is not allowed to %s %s.%s yet", ApplierUser, r.Verb, r.Resource, r.Group)
		}
	}
	return nil
}

// SampleResources returns the resources of the sample's kinds, each once, with the namespace of one
// object and the verb patch. The kinds must be served.
func SampleResources(c *apply.Cluster) ([]authorizationv1.ResourceAttributes, error) {
	var resources []authorizationv1.ResourceAttributes
	seen := map[string]bool{}
	for _, obj := range c.Subject().Samples {
		gvk := obj.GroupVersionKind()
		mapping, err := c.Client().RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version)
		if err != nil {
			return nil, fmt.Errorf("finding the resource of %s: %w", gvk.Kind, err)
		}
		if seen[mapping.Resource.String()] {
			continue
		}
		seen[mapping.Resource.String()] = true
		resources = append(resources, authorizationv1.ResourceAttributes{
			Group: mapping.Resource.Group, Resource: mapping.Resource.Resource, Namespace: obj.GetNamespace(), Verb: "patch",
		})
	}
	return resources, nil
}
