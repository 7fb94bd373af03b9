package show

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/near"
	"github.com/operator-tracing/sandbox/sandbox/observe/related"
	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
	"github.com/operator-tracing/sandbox/sandbox/provider/existing"
	"github.com/operator-tracing/sandbox/sandbox/workload"
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
	known, err := workload.KindCalled(ctx, c, kind)
	switch {
	case meta.IsNoMatchError(err):
		return writes.Object{}, fmt.Errorf("no kind is called %q%s", kind, near.Hint(kind, workload.KindNames(c)))
	case meta.IsAmbiguousError(err):
		return writes.Object{}, fmt.Errorf("%w; add the group to the kind, for example certificates.cert-manager.io/web", err)
	case err != nil:
		return writes.Object{}, err
	}
	list, err := c.Clientset().Discovery().ServerResourcesForGroupVersion(known.GroupVersion().String())
	if err != nil {
		return writes.Object{}, fmt.Errorf("finding the kind %q: %w", kind, err)
	}
	if !slices.ContainsFunc(related.Served([]*metav1.APIResourceList{list}), func(r related.Resource) bool { return r.Kind == known.Kind }) {
		return writes.Object{}, fmt.Errorf("objects of the kind %s can't be observed: they change all the time, or the API server has no watch of them", known.Kind)
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
func (s *observation) scope() (namespaces []string, about []writes.Object) {
	o := s.options
	if s.target.Kind != "" {
		about = append(about, s.target)
	}
	for _, obj := range s.objects {
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

// greet says what is awaited, and which resources are not observed.
func (s *observation) greet(ctx context.Context) {
	s.report()
	s.mu.Lock()
	unsearched := s.unsearched
	s.mu.Unlock()
	if unsearched > 0 {
		fmt.Fprintf(s.progress, "not searched for dependents, for lack of permissions: %d other kinds; --all lists them\n", unsearched)
	}
	if len(s.objects) > 0 {
		return
	}
	namespaces, _ := s.scope()
	where := "in all namespaces"
	if namespaces != nil {
		where = "in namespace " + strings.Join(namespaces, ", ")
	}
	if s.target.Kind == "" {
		fmt.Fprintf(s.progress, "watching every kind %s, for the first change by a user (Ctrl-C ends it); name an object, for example deployment/web, to watch only related kinds\n", where)
		return
	}
	absent := ""
	if _, err := s.read(ctx, s.target); apierrors.IsNotFound(err) {
		absent = ", which does not exist yet"
	}
	fmt.Fprintf(s.progress, "waiting for a change of %s%s (Ctrl-C ends it)\n", s.target, absent)
}

// report lists the resources that are not observed, and that were not reported.
func (s *observation) report() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fresh := s.skipped[s.reported:]; len(fresh) > 0 {
		slices.Sort(fresh)
		fmt.Fprintf(s.progress, "not observed, for lack of permissions: %s\n", strings.Join(fresh, ", "))
	}
	s.reported = len(s.skipped)
}

func (s *observation) skip(resource schema.GroupVersionResource, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skipped = append(s.skipped, resource.GroupResource().String())
}

func (s *observation) unsearch(schema.GroupVersionResource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsearched++
}

// refused returns an error if the target's own kind may not be watched.
func (s *observation) refused() error {
	if s.target.Kind == "" {
		return nil
	}
	mapping, err := s.cluster.Client().RESTMapper().RESTMapping(schema.GroupKind{Group: s.target.Group, Kind: s.target.Kind})
	if err != nil {
		return nil // The manifests define the kind.
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := mapping.Resource.GroupResource().String()
	if !slices.Contains(s.skipped, name) {
		return nil
	}
	where := "in all namespaces; name one with -n NAMESPACE, or use credentials that may"
	if namespaces, _ := s.scope(); namespaces != nil {
		where = "in namespace " + strings.Join(namespaces, ", ") + "; use another namespace (-n) or credentials that may"
	}
	return fmt.Errorf("no permission to list and watch %s %s", name, where)
}

// ready returns an error if an object has not reached the state to wait for.
func (s *observation) ready(live *unstructured.Unstructured) error {
	if s.options.condition == "" {
		return apply.Ready(live)
	}
	return s.condition.Met(live)
}

// notReady returns the error at the end of ctx.
func (s *observation) notReady(ctx context.Context, why string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	what, within := s.target.String(), "within "+s.options.timeout.String()
	if s.target.Kind == "" {
		what = "the object"
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		within = "when it was interrupted"
	}
	return errors.Join(fmt.Errorf("%s is not ready %s: %s", what, within, why), s.failure)
}
