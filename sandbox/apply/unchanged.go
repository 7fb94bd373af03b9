package apply

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

// AppliedAnnotation is on every applied object, with a hash of the object as it was applied.
const AppliedAnnotation = "operator-tracing-sandbox/applied"

// marked returns a copy of obj with the sandbox's name on a shared cluster, and with its own hash.
func (c *Cluster) marked(obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	out := obj.DeepCopy()
	if c.Shared() {
		out.SetLabels(with(out.GetLabels(), SandboxLabel, c.sandbox))
	}
	text, err := json.Marshal(out.Object) // Marshal sorts the keys of maps.
	if err != nil {
		return nil, fmt.Errorf("hashing: %w", err)
	}
	sum := sha256.Sum256(text)
	out.SetAnnotations(with(out.GetAnnotations(), AppliedAnnotation, hex.EncodeToString(sum[:16])))
	return out, nil
}

// read returns the live object with the kind and the name of obj; nil if it does not exist.
func read(ctx context.Context, c *Cluster, obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(obj.GroupVersionKind())
	if err := c.client.Get(ctx, client.ObjectKeyFromObject(obj), live); err != nil {
		return nil, ignore(Gone, err)
	}
	return live, nil
}

// contains reports whether live has everything that wanted has. Maps may have more keys, because
// the API server and controllers set fields of their own. Lists must have the same length.
func contains(live, wanted any) bool {
	switch wanted := wanted.(type) {
	case nil: // Null asks for no value.
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
