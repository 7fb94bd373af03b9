// Package thing has the kind Thing, which the operators of package operators reconcile, and the manager
// that runs them.
package thing

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// GroupVersion is the API of Thing. testdata/things.yaml of package operators defines it.
var GroupVersion = schema.GroupVersion{Group: "faults.example.com", Version: "v1"}

// Thing asks its operator for a ConfigMap with a value.
type Thing struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   Spec   `json:"spec"`
	Status Status `json:"status,omitempty"`
}

// Spec is the desired state of a Thing.
type Spec struct {
	Value string `json:"value"`
}

// Status is the observed state of a Thing, which is ready if Value equals the value of the Spec.
type Status struct {
	Value string `json:"value,omitempty"`
	Child string `json:"child,omitempty"` // name of the ConfigMap
	ID    int    `json:"id,omitempty"`    // number of the external call
}

// DeepCopyObject implements runtime.Object.
func (t *Thing) DeepCopyObject() runtime.Object {
	out := *t
	t.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	return &out
}

// List is the list of the API for Thing.
type List struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Thing `json:"items"`
}

// DeepCopyObject implements runtime.Object.
func (l *List) DeepCopyObject() runtime.Object {
	out := &List{TypeMeta: l.TypeMeta}
	l.ListMeta.DeepCopyInto(&out.ListMeta)
	for i := range l.Items {
		out.Items = append(out.Items, *l.Items[i].DeepCopyObject().(*Thing))
	}
	return out
}

// NewScheme returns a scheme with Thing and ConfigMap.
func NewScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("adding ConfigMap: %w", err)
	}
	scheme.AddKnownTypeWithName(GroupVersion.WithKind("Thing"), &Thing{})
	scheme.AddKnownTypeWithName(GroupVersion.WithKind("ThingList"), &List{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return scheme, nil
}

// ownedLabel names the Thing of a ConfigMap.
const ownedLabel = "faults.example.com/thing"

// Unowned returns the ConfigMap of a Thing without an owner reference. The suffix ends its name.
func (t *Thing) Unowned(suffix string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: t.Namespace,
			Name:      t.Name + suffix,
			Labels:    map[string]string{ownedLabel: t.Name},
		},
		Data: map[string]string{"value": t.Spec.Value},
	}
}

// Owned returns the ConfigMap of a Thing with an owner reference. The suffix ends its name.
func (t *Thing) Owned(suffix string) *corev1.ConfigMap {
	child := t.Unowned(suffix)
	child.OwnerReferences = []metav1.OwnerReference{t.Owner()}
	return child
}

// Owner returns the owner reference of the Thing's controller.
func (t *Thing) Owner() metav1.OwnerReference {
	return metav1.OwnerReference{
		APIVersion: GroupVersion.String(), Kind: "Thing", Name: t.Name, UID: t.UID, Controller: new(true),
	}
}

// Children returns the ConfigMaps of the Thing.
func (t *Thing) Children(ctx context.Context, c client.Reader) ([]corev1.ConfigMap, error) {
	list := &corev1.ConfigMapList{}
	if err := c.List(ctx, list, client.InNamespace(t.Namespace), client.MatchingLabels{ownedLabel: t.Name}); err != nil {
		return nil, fmt.Errorf("listing the ConfigMaps of Thing %s: %w", t.Name, err)
	}
	return list.Items, nil
}

// Patch sends the changes of change to the Thing's metadata and spec. It does nothing if there are none.
func (t *Thing) Patch(ctx context.Context, c client.Client, change func()) error {
	before := t.DeepCopyObject().(*Thing)
	change()
	if err := c.Patch(ctx, t, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("patching Thing %s: %w", t.Name, err)
	}
	return nil
}

// SetStatus writes the Thing's status if it differs from status.
func (t *Thing) SetStatus(ctx context.Context, c client.Client, status Status) error {
	if t.Status == status {
		return nil
	}
	before := t.DeepCopyObject().(*Thing)
	t.Status = status
	if err := c.Status().Patch(ctx, t, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("patching the status of Thing %s: %w", t.Name, err)
	}
	return nil
}

// Done records in the status that the Thing has its value.
func (t *Thing) Done(ctx context.Context, c client.Client) error {
	status := t.Status
	status.Value = t.Spec.Value
	return t.SetStatus(ctx, c, status)
}
