package generated

import (
	"encoding/json"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Names of the kinds that operators reconcile and write.
const (
	configMap  = "ConfigMap"
	secret     = "Secret"
	service    = "Service"
	deployment = "Deployment"
	widget     = "Widget" // with the status subresource
	gadget     = "Gadget" // without it
)

var (
	customGroup = schema.GroupVersion{Group: "generated.example.com", Version: "v1"}
	allKinds    = []string{configMap, secret, service, deployment, widget, gadget}
	kinds       = map[string]schema.GroupVersionKind{
		configMap:  corev1.SchemeGroupVersion.WithKind(configMap),
		secret:     corev1.SchemeGroupVersion.WithKind(secret),
		service:    corev1.SchemeGroupVersion.WithKind(service),
		deployment: appsv1.SchemeGroupVersion.WithKind(deployment),
		widget:     customGroup.WithKind(widget),
		gadget:     customGroup.WithKind(gadget),
	}
)

func isCustom(kind string) bool { return kinds[kind].GroupVersion() == customGroup }

// Custom holds the fields of both custom kinds.
type Custom struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   CustomSpec   `json:"spec,omitempty"`
	Status CustomStatus `json:"status,omitempty"`
}

// CustomSpec has one field of each kind that a server stores differently than sent.
type CustomSpec struct {
	Image    string             `json:"image,omitempty"`    // defaulted, and rewritten by admission
	Size     int64              `json:"size,omitempty"`     // stored as sent
	Mode     string             `json:"mode,omitempty"`     // pruned
	Replicas *int32             `json:"replicas,omitempty"` // defaulted
	CPU      *resource.Quantity `json:"cpu,omitempty"`      // "1" or 1
	Limits   CustomLimits       `json:"limits,omitempty"`   // a typed client always sends it
}

// CustomLimits is not a pointer: an update by a typed client adds an empty object.
type CustomLimits struct {
	Max int64 `json:"max,omitempty"`
}

// CustomStatus is the status of both custom kinds.
type CustomStatus struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Phase              string             `json:"phase,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
}

// Widget is a custom kind with the status subresource.
type Widget struct {
	Custom `json:",inline"`
}

// WidgetList is a list of widgets.
type WidgetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Widget `json:"items"`
}

// Gadget is a custom kind without the status subresource.
type Gadget struct {
	Custom `json:",inline"`
}

// GadgetList is a list of gadgets.
type GadgetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Gadget `json:"items"`
}

// DeepCopyObject implements runtime.Object.
func (w *Widget) DeepCopyObject() runtime.Object { return copied(w) }

// DeepCopyObject implements runtime.Object.
func (w *WidgetList) DeepCopyObject() runtime.Object { return copied(w) }

// DeepCopyObject implements runtime.Object.
func (g *Gadget) DeepCopyObject() runtime.Object { return copied(g) }

// DeepCopyObject implements runtime.Object.
func (g *GadgetList) DeepCopyObject() runtime.Object { return copied(g) }

func copied[T any](in *T) *T {
	out := new(T)
	data, err := json.Marshal(in)
	if err == nil {
		err = json.Unmarshal(data, out)
	}
	if err != nil {
		panic(err)
	}
	return out
}

func newScheme() *runtime.Scheme {
	s := runtime.NewScheme()
	s.AddKnownTypes(customGroup, &Widget{}, &WidgetList{}, &Gadget{}, &GadgetList{})
	metav1.AddToGroupVersion(s, customGroup)
	if err := clientgoscheme.AddToScheme(s); err != nil {
		panic(err)
	}
	return s
}

// newObject returns an empty object of the kind.
func newObject(kind string, typed bool) client.Object {
	if !typed {
		u := &unstructured.Unstructured{}
		u.SetGroupVersionKind(kinds[kind])
		return u
	}
	obj, err := scheme.New(kinds[kind])
	if err != nil {
		panic(err)
	}
	return obj.(client.Object) //nolint:forcetypeassert // every kind here is an object
}

// newList returns an empty list of objects of the kind.
func newList(kind string, typed bool) client.ObjectList {
	gvk := kinds[kind]
	gvk.Kind += "List"
	if !typed {
		u := &unstructured.UnstructuredList{}
		u.SetGroupVersionKind(gvk)
		return u
	}
	list, err := scheme.New(gvk)
	if err != nil {
		panic(err)
	}
	return list.(client.ObjectList) //nolint:forcetypeassert // every kind here is a list
}

// content returns the object in its JSON form. The caller may change it.
func content(obj client.Object) map[string]any {
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		panic(err)
	}
	return runtime.DeepCopyJSON(m)
}

// fill sets the fields of obj to m.
func fill(obj client.Object, m map[string]any) {
	m = runtime.DeepCopyJSON(m)
	if u, ok := obj.(*unstructured.Unstructured); ok {
		u.Object = m
		return
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(m, obj); err != nil {
		panic(err)
	}
}

// overlay copies src into dst. Lists are replaced, maps are merged.
func overlay(dst, src map[string]any) {
	for k, v := range src {
		to, isMap := dst[k].(map[string]any)
		from, merge := v.(map[string]any)
		if isMap && merge {
			overlay(to, from)
			continue
		}
		dst[k] = runtime.DeepCopyJSONValue(v)
	}
}
