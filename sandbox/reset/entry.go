package reset

import (
	"bytes"
	"encoding/json"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/operator-tracing/sandbox/sandbox/embedded/snapshot"
)

// protobuf is the prefix of values in Kubernetes' protobuf form; others are JSON.
const protobuf = "k8s\x00"

// decode returns an object from its entry. ok is false for values that are not objects: a reset
// ignores them.
func decode(e snapshot.Entry) (o stored, ok bool) {
	var found metav1.PartialObjectMetadata
	if data, is := bytes.CutPrefix(e.Value, []byte(protobuf)); is {
		var unknown runtime.Unknown
		// All kinds have their metadata in the same field, and the decoder ignores other fields.
		if unknown.Unmarshal(data) != nil || found.Unmarshal(unknown.Raw) != nil {
			return stored{}, false
		}
		found.APIVersion, found.Kind = unknown.APIVersion, unknown.Kind
	} else if json.Unmarshal(e.Value, &found) != nil {
		return stored{}, false
	}
	if found.Kind == "" || found.Name == "" && !strings.Contains(string(e.Key), "/ranges/") {
		return stored{}, false
	}
	return stored{Object{Key: string(e.Key), Kind: schema.FromAPIVersionAndKind(found.APIVersion, found.Kind), ObjectMeta: found.ObjectMeta}, e.Value}, true
}
