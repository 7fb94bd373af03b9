package readonly

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/kubernetes/scheme"
)

// codecs decode responses in protobuf and in JSON to unstructured objects.
type codecs struct{ protobuf binary }

// SupportedMediaTypes implements [runtime.NegotiatedSerializer].
func (c codecs) SupportedMediaTypes() []runtime.SerializerInfo {
	return []runtime.SerializerInfo{
		{
			MediaType: runtime.ContentTypeJSON, MediaTypeType: "application", MediaTypeSubType: "json", EncodesAsText: true,
			Serializer: text{unstructured.UnstructuredJSONScheme}, StreamSerializer: &runtime.StreamSerializerInfo{Serializer: frame{unstructured.UnstructuredJSONScheme}, Framer: json.Framer},
		},
		{
			MediaType: runtime.ContentTypeProtobuf, MediaTypeType: "application", MediaTypeSubType: "vnd.kubernetes.protobuf",
			Serializer: c.protobuf, StreamSerializer: &runtime.StreamSerializerInfo{Serializer: protobuf.NewRawSerializer(scheme.Scheme, scheme.Scheme), Framer: protobuf.LengthDelimitedFramer},
		},
	}
}

// EncoderForVersion implements [runtime.NegotiatedSerializer].
func (codecs) EncoderForVersion(e runtime.Encoder, _ runtime.GroupVersioner) runtime.Encoder {
	return e
}

// DecoderToVersion implements [runtime.NegotiatedSerializer].
func (codecs) DecoderToVersion(d runtime.Decoder, _ runtime.GroupVersioner) runtime.Decoder { return d }

// frame decodes the events of a watch in JSON, but not their objects.
type frame struct{ runtime.Serializer }

// Decode implements [runtime.Decoder]. into is a [metav1.WatchEvent].
func (frame) Decode(data []byte, _ *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	event, ok := into.(*metav1.WatchEvent)
	if !ok {
		return nil, nil, fmt.Errorf("decoding an event of a watch: got a %T to decode into", into)
	}
	kind := metav1.Unversioned.WithKind("WatchEvent")
	return event, &kind, utiljson.Unmarshal(data, event)
}

// text decodes objects in JSON.
type text struct{ runtime.Serializer }

// Decode implements [runtime.Decoder]. into can be an [unstructured.UnstructuredList]. A Status is the
// error of a request, and keeps its type.
func (t text) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	if _, isList := into.(*unstructured.UnstructuredList); isList {
		return t.Serializer.Decode(data, defaults, into)
	}
	u := &unstructured.Unstructured{}
	if err := utiljson.Unmarshal(data, &u.Object); err != nil {
		return nil, nil, err
	}
	kind := u.GroupVersionKind()
	if kind.Kind != "Status" || kind.Version != "v1" || kind.Group != "" {
		return u, &kind, nil
	}
	status := &metav1.Status{}
	return status, &kind, runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, status)
}

// binary decodes objects in protobuf.
type binary struct {
	runtime.Serializer
	parsed *fieldSets
}

func newBinary() binary {
	return binary{protobuf.NewSerializer(scheme.Scheme, scheme.Scheme), newFieldSets()}
}

// Decode implements [runtime.Decoder], as [text.Decode].
func (b binary) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	typed, kind, err := b.Serializer.Decode(data, defaults, nil)
	if err != nil || kind.Kind == "Status" {
		return typed, kind, err
	}
	list, isList := into.(*unstructured.UnstructuredList)
	if !isList {
		u, err := b.convert(typed, *kind)
		return u, kind, err
	}
	source, err := meta.ListAccessor(typed)
	if err != nil {
		return nil, kind, fmt.Errorf("decoding a list: %w", err)
	}
	list.SetGroupVersionKind(*kind)
	list.SetResourceVersion(source.GetResourceVersion())
	list.SetContinue(source.GetContinue())
	each := kind.GroupVersion().WithKind(strings.TrimSuffix(kind.Kind, "List"))
	err = meta.EachListItem(typed, func(item runtime.Object) error {
		u, err := b.convert(item, each)
		if err == nil {
			list.Items = append(list.Items, *u)
		}
		return err
	})
	return list, kind, err
}

// convert converts an object, which it changes.
func (b binary) convert(typed runtime.Object, kind schema.GroupVersionKind) (*unstructured.Unstructured, error) {
	object, err := meta.Accessor(typed)
	if err != nil {
		return nil, fmt.Errorf("converting a %s: %w", kind.Kind, err)
	}
	managed := object.GetManagedFields()
	object.SetManagedFields(nil) // Most entries were parsed before.
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		return nil, fmt.Errorf("converting a %s: %w", kind.Kind, err)
	}
	u := &unstructured.Unstructured{Object: fields}
	u.SetGroupVersionKind(kind)
	if metadata, ok := fields["metadata"].(map[string]any); ok && len(managed) > 0 {
		metadata["managedFields"] = b.parsed.entries(managed)
	}
	return u, nil
}
