package install

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// AppliedAnnotation is on every applied object, with a hash of what was applied.
const AppliedAnnotation = "operator-tracing-sandbox/applied"

// marked returns a copy of obj that carries its own hash.
func marked(obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	text, err := json.Marshal(obj.Object) // Keys of maps come out sorted.
	if err != nil {
		return nil, fmt.Errorf("hashing it: %w", err)
	}
	sum := sha256.Sum256(text)
	out := obj.DeepCopy()
	annotations := out.GetAnnotations()
	if annotations == nil {
		annotations = make(map[string]string)
	}
	annotations[AppliedAnnotation] = hex.EncodeToString(sum[:16])
	out.SetAnnotations(annotations)
	return out, nil
}

// read reads the live object of obj's name; nil where there is none.
func read(ctx context.Context, c *Cluster, obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(obj.GroupVersionKind())
	if err := c.client.Get(ctx, client.ObjectKeyFromObject(obj), live); err != nil {
		return nil, ignore(gone, err)
	}
	return live, nil
}

// unchanged tells whether applying obj, which is marked, would write nothing: the same was applied last, so no field is to go,
// and every field of it is in the live object as it should be. To find that out costs the API server a tenth of an apply.
func unchanged(live, obj *unstructured.Unstructured) bool {
	return live.GetDeletionTimestamp() == nil && contains(live.Object, obj.Object)
}

// contains tells whether live has everything that wanted has. Maps may have more keys, as the API server and controllers
// fill in fields of their own; lists may not have more elements.
func contains(live, wanted any) bool {
	switch wanted := wanted.(type) {
	case nil: // Nothing is what null asks for.
		return true
	case map[string]any:
		liveMap, ok := live.(map[string]any)
		if !ok {
			return false
		}
		for key, value := range wanted {
			if !contains(liveMap[key], value) {
				return false
			}
		}
		return true
	case []any:
		liveList, ok := live.([]any)
		if !ok || len(liveList) != len(wanted) {
			return false
		}
		for i, value := range wanted {
			if !contains(liveList[i], value) {
				return false
			}
		}
		return true
	default:
		return reflect.DeepEqual(live, wanted)
	}
}
