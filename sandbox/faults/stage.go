package faults

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/oracle"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/faults/leftover"
)

const (
	// namespacePrefix starts the names of these namespaces.
	namespacePrefix = "faults-"
	// manager is the field manager of the sample's objects.
	manager = "sandbox-faults"
	// defaultsLimit is how long a namespace may lack the objects that Kubernetes creates in each.
	defaultsLimit = 3 * time.Second
	// applyLimit is how long an object may be refused for reasons that pass.
	applyLimit    = 30 * time.Second
	applyInterval = 100 * time.Millisecond
)

// stage is where runs take place: the cluster, and the sample.
type stage struct {
	cluster *apply.Cluster
	base    *url.URL
	http    *http.Client
	samples []*unstructured.Unstructured
	update  []*unstructured.Unstructured // nil without an update
	// inPlace is true if the objects keep their names and namespaces.
	inPlace bool
	// noDefaults is true if the cluster creates no objects in new namespaces.
	noDefaults bool
}

func newStage(c *apply.Cluster, samples, update []*unstructured.Unstructured, inPlace bool) (*stage, error) {
	config := rest.CopyConfig(c.Config())
	config.QPS = -1
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the API server: %w", err)
	}
	s := &stage{cluster: c, base: base, inPlace: inPlace}
	if s.http, err = rest.HTTPClientFor(config); err != nil {
		return nil, fmt.Errorf("connecting to the API server: %w", err)
	}
	for _, obj := range update {
		if obj.GetNamespace() == "" {
			obj.SetNamespace(samples[0].GetNamespace()) // As in kubectl apply, with the sample's as the default.
		}
	}
	namespaces, scoped, err := s.scopes(slices.Concat(samples, update))
	if err != nil {
		return nil, err
	}
	if len(scoped) > 0 || len(namespaces) > 1 {
		s.inPlace = true
	}
	// The namespace of the sample is not part of a run.
	s.samples = slices.DeleteFunc(slices.Clone(samples), isNamespace)
	s.update = slices.DeleteFunc(slices.Clone(update), isNamespace)
	if len(s.samples) == 0 {
		return nil, errors.New("the sample has no object except namespaces")
	}
	return s, nil
}

func isNamespace(obj *unstructured.Unstructured) bool {
	return obj.GroupVersionKind().GroupKind() == corev1.SchemeGroupVersion.WithKind("Namespace").GroupKind()
}

// scopes returns the namespaces of objects, and the objects without one.
func (s *stage) scopes(objects []*unstructured.Unstructured) (namespaces, scoped []string, err error) {
	for _, obj := range objects {
		if isNamespace(obj) {
			continue
		}
		namespaced, err := s.cluster.Client().IsObjectNamespaced(obj)
		switch {
		case err != nil:
			return nil, nil, fmt.Errorf("finding the scope of %s: %w", apply.Describe(obj), err)
		case !namespaced:
			scoped = append(scoped, apply.Describe(obj))
		case !slices.Contains(namespaces, obj.GetNamespace()):
			namespaces = append(namespaces, obj.GetNamespace())
		}
	}
	return namespaces, scoped, nil
}

// place returns copies of objects for a namespace.
func (s *stage) place(objects []*unstructured.Unstructured, namespace string) []*unstructured.Unstructured {
	var placed []*unstructured.Unstructured
	for _, obj := range objects {
		obj = obj.DeepCopy()
		if !s.inPlace {
			obj.SetNamespace(namespace)
		}
		placed = append(placed, obj)
	}
	return placed
}

// namespaceOf returns the namespace of a run; empty for runs in place.
func (s *stage) namespaceOf(run string) string {
	if s.inPlace {
		return ""
	}
	return namespacePrefix + strings.NewReplacer(":", "-", ",", "-").Replace(run)
}

// enter creates the namespace of a run.
func (s *stage) enter(ctx context.Context, namespace string) error {
	if namespace == "" {
		return nil
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{leftover.Label: "true"}}}
	if err := s.cluster.Client().Create(ctx, ns); err != nil {
		return fmt.Errorf("creating namespace %s: %w", namespace, err)
	}
	if s.noDefaults {
		return nil
	}
	// They would look like the operator's.
	err := wait.PollUntilContextTimeout(ctx, watchInterval, defaultsLimit, true, func(ctx context.Context) (bool, error) {
		for name, obj := range map[string]client.Object{"default": &corev1.ServiceAccount{}, "kube-root-ca.crt": &corev1.ConfigMap{}} {
			if err := s.cluster.Client().Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, obj); err != nil {
				return false, client.IgnoreNotFound(err)
			}
		}
		return true, nil
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		s.noDefaults, err = true, nil
	}
	return err
}

// leave deletes what a run left: its namespace, or the sample. It does not wait for the namespace.
func (s *stage) leave(ctx context.Context, namespace string) error {
	if namespace == "" {
		return apply.DeleteWithDependents(ctx, s.cluster, s.samples)
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if err := client.IgnoreNotFound(s.cluster.Client().Delete(ctx, ns)); err != nil {
		return fmt.Errorf("deleting namespace %s: %w", namespace, err)
	}
	return nil
}

// apply applies objects, the first one last: a webhook can require the objects that it refers to.
func (s *stage) apply(ctx context.Context, objects []*unstructured.Unstructured, send func(context.Context, *unstructured.Unstructured) error) error {
	for i := range objects {
		obj := objects[(i+1)%len(objects)]
		var last error
		err := wait.PollUntilContextTimeout(ctx, applyInterval, applyLimit, true, func(ctx context.Context) (bool, error) {
			if last = send(ctx, obj.DeepCopy()); apply.Transient(last) {
				return false, nil // A webhook of an operator that restarts.
			}
			return true, last
		})
		if wait.Interrupted(err) && last != nil {
			err = last
		}
		if err != nil {
			return fmt.Errorf("applying %s: %w", apply.Describe(obj), err)
		}
	}
	return nil
}

// ready reports whether the objects have reached the sample's condition.
func (s *stage) ready(ctx context.Context, objects []*unstructured.Unstructured) (bool, error) {
	for _, obj := range objects {
		live := &unstructured.Unstructured{}
		live.SetGroupVersionKind(obj.GroupVersionKind())
		if err := s.cluster.Client().Get(ctx, client.ObjectKeyFromObject(obj), live); err != nil {
			return false, err
		}
		if err := s.cluster.ReachedCondition(live); err != nil {
			return false, fmt.Errorf("%s: %w", apply.Describe(obj), err)
		}
	}
	return true, nil
}

// delete deletes the objects, and does not wait for their finalizers.
func (s *stage) delete(ctx context.Context, objects []*unstructured.Unstructured) error {
	for _, obj := range objects {
		err := s.cluster.Client().Delete(ctx, obj.DeepCopy(), client.PropagationPolicy(metav1.DeletePropagationBackground))
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting %s: %w", apply.Describe(obj), err)
		}
	}
	return nil
}

// gone reports whether the objects were deleted.
func (s *stage) gone(ctx context.Context, objects []*unstructured.Unstructured) (bool, error) {
	for _, obj := range objects {
		live := &unstructured.Unstructured{}
		live.SetGroupVersionKind(obj.GroupVersionKind())
		err := s.cluster.Client().Get(ctx, client.ObjectKeyFromObject(obj), live)
		if err == nil {
			return false, fmt.Errorf("%s still exists; finalizers: %s", apply.Describe(obj), strings.Join(live.GetFinalizers(), ", "))
		}
		if !apierrors.IsNotFound(err) {
			return false, err
		}
	}
	return true, nil
}

// resources returns the resources of the sample's objects.
func (s *stage) resources() ([]plan.Resource, error) {
	var found []plan.Resource
	for _, obj := range s.samples {
		gvk := obj.GroupVersionKind()
		mapping, err := s.cluster.Client().RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version)
		if err != nil {
			return nil, fmt.Errorf("finding the resource of %s: %w", apply.Describe(obj), err)
		}
		found = append(found, plan.Resource{GroupVersionResource: mapping.Resource, Namespaced: mapping.Scope.Name() == meta.RESTScopeNameNamespace})
	}
	return found, nil
}

// snapshot reads the objects of the sample's kinds, and of the kinds that the operator writes.
func (s *stage) snapshot(ctx context.Context, namespace string, recordings ...*plan.Recording) (oracle.Snapshot, error) {
	resources, err := s.resources()
	if err != nil {
		return nil, err
	}
	for _, r := range recordings {
		for _, resource := range r.Resources() {
			if !slices.ContainsFunc(resources, func(r plan.Resource) bool { return r.GroupResource() == resource.GroupResource() }) {
				resources = append(resources, resource)
			}
		}
	}
	return oracle.TakeSnapshot(ctx, s.http, s.base, namespace, resources, recordings[0])
}
