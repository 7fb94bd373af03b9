package traces

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/kinds"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/suggest"
)

// Object names an object of the cluster.
type Object struct {
	Kind schema.GroupVersionKind
	types.NamespacedName
}

// String returns KIND NAMESPACE/NAME, or KIND NAME without a namespace.
func (o Object) String() string {
	if o.Namespace == "" {
		return o.Kind.Kind + " " + o.Name
	}
	return o.Kind.Kind + " " + o.NamespacedName.String()
}

// KubectlName returns the arguments of kubectl that name an object. The kind has its group if another
// group has a kind of the same name.
func (r *Reader) KubectlName(ctx context.Context, o Object) (string, error) {
	target, err := r.session.Target()
	if err != nil {
		return "", err
	}
	name := kinds.NameOf(ctx, target, o.Kind) + "/" + o.Name
	if o.Namespace != "" && o.Namespace != project.DefaultNamespace {
		name += " --namespace " + o.Namespace
	}
	return name, nil
}

// Reference is an object on a command line: NAME, KIND/NAME or NAMESPACE/NAME. Only the cluster knows
// whether Prefix is a kind.
type Reference struct {
	// Prefix is the text before the slash; empty without a slash.
	Prefix string
	Name   string
}

// ParseReference reads a Reference.
func ParseReference(argument string) (Reference, error) {
	prefix, name, qualified := strings.Cut(argument, "/")
	if !qualified {
		prefix, name = "", argument
	}
	if qualified && prefix == "" || name == "" || strings.Contains(name, "/") {
		return Reference{}, fmt.Errorf("reading the name of an object %q: use NAME, KIND/NAME or NAMESPACE/NAME", argument)
	}
	return Reference{Prefix: prefix, Name: name}, nil
}

// Find resolves a reference. The object need not exist. Without a kind, the kind is the sample's.
// namespace is the user's flag; empty means the default namespace.
func (r *Reader) Find(ctx context.Context, ref Reference, namespace string) (Object, error) {
	target, err := r.session.Target()
	if err != nil {
		return Object{}, err
	}
	subject := target.Subject()
	object := Object{Kind: subject.Kind(), NamespacedName: types.NamespacedName{Namespace: namespace, Name: ref.Name}}
	namespaced := subject.Sample().Namespace != ""
	if ref.Prefix != "" {
		kind, err := kinds.Called(ctx, target, ref.Prefix)
		switch {
		case err == nil && strings.EqualFold(kind.Kind, subject.Kind().Kind) && !strings.Contains(ref.Prefix, "."):
			// The kind of the sample precedes a kind of another group with the same name.
		case err == nil:
			object.Kind, namespaced = kind.GroupVersionKind, kind.Namespaced
		case !meta.IsNoMatchError(err):
			return Object{}, err
		case namespace != "" || !namespaced:
			return Object{}, kinds.Unknown(target, ref.Prefix, "no kind is called %q")
		default:
			if err := r.wantNamespace(ctx, target, ref.Prefix); err != nil {
				return Object{}, err
			}
			object.Namespace = ref.Prefix
		}
	}
	switch {
	case !namespaced:
		object.Namespace = ""
	case object.Namespace == "":
		object.Namespace = project.DefaultNamespace
	}
	return object, nil
}

// wantNamespace finds that what stands before the slash is neither a kind nor a namespace.
func (r *Reader) wantNamespace(ctx context.Context, target *apply.Cluster, name string) error {
	err := target.Client().Get(ctx, types.NamespacedName{Name: name}, &corev1.Namespace{})
	if apierrors.IsNotFound(err) {
		return kinds.Unknown(target, name, "no kind and no namespace is called %q")
	}
	if err != nil {
		return fmt.Errorf("finding namespace %s: %w", name, err)
	}
	return nil
}

// ErrNoObject says that there is no object of that name.
var ErrNoObject = errors.New("there is none of that name")

func (r *Reader) get(ctx context.Context, object Object) (*unstructured.Unstructured, error) {
	target, err := r.session.Target()
	if err != nil {
		return nil, err
	}
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(object.Kind)
	err = target.Client().Get(ctx, object.NamespacedName, live)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("finding %s: %w%s", object, ErrNoObject, others(ctx, target, object))
	}
	var discovery *apiutil.ErrResourceDiscoveryFailed
	if meta.IsNoMatchError(err) || errors.As(err, &discovery) {
		return nil, fmt.Errorf("finding %s: the API server serves no such kind; run %s to repair the sandbox", object, hint.Run("up"))
	}
	if err != nil {
		return nil, fmt.Errorf("finding %s: %w", object, err)
	}
	return live, nil
}

// ready returns an error if an object, as it was read, does not have the condition of the sample's kind.
func (r *Reader) ready(live *unstructured.Unstructured) error {
	target, err := r.session.Target()
	if err != nil {
		return err
	}
	return target.ReachedCondition(live)
}

// others returns a similar name for an error about an object that does not exist, or a few names that
// exist.
func others(ctx context.Context, target *apply.Cluster, object Object) string {
	const most, looked = 5, 500
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(object.Kind.GroupVersion().WithKind(object.Kind.Kind + "List"))
	if err := target.Client().List(ctx, list, client.Limit(looked)); err != nil || len(list.Items) == 0 {
		return ""
	}
	var names []string
	for _, o := range list.Items {
		names = append(names, strings.TrimPrefix(o.GetNamespace()+"/"+o.GetName(), "/"))
	}
	if hint := suggest.Hint(strings.TrimPrefix(object.Namespace+"/"+object.Name, "/"), names); hint != "" {
		return hint
	}
	return "; there is " + strings.Join(names[:min(len(names), most)], ", ")
}
