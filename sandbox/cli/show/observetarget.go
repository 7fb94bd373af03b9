package show

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/kinds"
	"github.com/operator-tracing/sandbox/sandbox/observe/related"
	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
	"github.com/operator-tracing/sandbox/sandbox/provider/existing"
)

// clusterOf describes the cluster that observe watches. Without shared it runs as a kubectl plugin.
func clusterOf(shared *command.Shared) string {
	if shared == nil {
		return "kubectl's, or the one that --context or --kubeconfig names"
	}
	return "the running sandbox, or with --context or --kubeconfig any other"
}

// cluster returns the cluster that the flags name, and sets the namespace from its context.
func (o *observeOptions) cluster(shared *command.Shared) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if o.kubeconfig != "" {
		rules.ExplicitPath = o.kubeconfig
	} else if o.context == "" && shared != nil {
		if run, err := shared.Attach(); err == nil {
			rules.ExplicitPath = run.Dir.Kubeconfig()
		}
	}
	if o.context != "" {
		if _, err := existing.Find(o.kubeconfig, o.context); errors.Is(err, existing.ErrNoContext) {
			return nil, settings.Given("context", o.context).Errorf("%w", err)
		}
	}
	loaded := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.context})
	cluster, err := loaded.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w; name a cluster with --context or --kubeconfig", err)
	}
	if o.namespace == "" {
		if o.namespace, _, err = loaded.Namespace(); err != nil {
			return nil, fmt.Errorf("reading the kubeconfig: %w", err)
		}
	}
	return cluster, nil
}

// checkObject returns a usage error if an argument is not empty and not KIND/NAME.
func checkObject(argument string) error {
	kind, name, _ := strings.Cut(argument, "/")
	if argument != "" && (kind == "" || name == "" || strings.Contains(name, "/")) {
		return command.Usagef("%q does not name an object; use KIND/NAME, for example deployment/web, and -n NAMESPACE", argument)
	}
	return nil
}

// target returns the object that the argument names, else the first one to apply; the zero value is
// any object.
func (o *observeOptions) target(ctx context.Context, c *apply.Cluster, argument string, objects []*unstructured.Unstructured) (writes.Object, error) {
	if argument == "" {
		if len(objects) == 0 {
			return writes.Object{}, nil
		}
		return identityOf(objects[0]), nil
	}
	kind, name, _ := strings.Cut(argument, "/")
	known, err := kinds.Called(ctx, c, kind)
	switch {
	case meta.IsNoMatchError(err):
		return writes.Object{}, kinds.Unknown(c, kind, "no kind is called %q")
	case meta.IsAmbiguousError(err):
		return writes.Object{}, command.Usagef("%w; add the group to the kind, for example certificates.cert-manager.io/web", err)
	case err != nil:
		return writes.Object{}, err
	}
	list, err := c.Clientset().Discovery().ServerResourcesForGroupVersion(known.GroupVersion().String())
	if err != nil {
		return writes.Object{}, fmt.Errorf("finding the kind %q: %w", kind, err)
	}
	if !slices.ContainsFunc(related.Served([]*metav1.APIResourceList{list}), func(r related.Resource) bool { return r.Kind == known.Kind }) {
		return writes.Object{}, command.Usagef("objects of the kind %s can't be observed: they change all the time, or the API server has no watch of them", known.Kind)
	}
	target := writes.Object{Group: known.Group, Kind: known.Kind, Namespace: o.namespace, Name: name}
	if !known.Namespaced {
		target.Namespace = ""
	}
	return target, nil
}

func identityOf(obj *unstructured.Unstructured) writes.Object {
	gvk := obj.GroupVersionKind()
	return writes.Object{Group: gvk.Group, Kind: gvk.Kind, Namespace: obj.GetNamespace(), Name: obj.GetName()}
}

// scope returns the namespaces to watch, and the objects whose related kinds are watched. Nil is all.
func (o *observeOptions) scope(target writes.Object, objects []*unstructured.Unstructured) (namespaces []string, about []writes.Object) {
	if target.Kind != "" {
		about = append(about, target)
	}
	for _, obj := range objects {
		about = append(about, identityOf(obj))
	}
	for _, object := range about {
		if object.Namespace != "" && !slices.Contains(namespaces, object.Namespace) {
			namespaces = append(namespaces, object.Namespace)
		}
	}
	if namespaces == nil && (len(about) == 0 || !o.anywhere) {
		namespaces = []string{o.namespace}
	}
	if o.allNamespaces || o.all && o.anywhere {
		namespaces = nil
	}
	if o.all {
		about = nil
	}
	return namespaces, about
}
