package writes

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

// References calls each with the names in an object's spec that can be names of other objects. hint
// has the names of the fields around the name, and the kind beside it, in lower case; see
// [Reference].
func References(u *unstructured.Unstructured, each func(name, hint string)) {
	for _, m := range mentionsOf(u) {
		each(m.name, m.hint)
	}
}
