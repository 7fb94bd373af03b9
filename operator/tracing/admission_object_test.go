package tracing

import (
	"maps"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// owning returns managed fields in which a manager owns annotations.
func owning(keys ...string) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) {
		fields := `{"f:metadata":{"f:annotations":{".":{}`
		for _, k := range keys {
			fields += `,"f:` + k + `":{}`
		}
		d.ManagedFields = append(d.ManagedFields, metav1.ManagedFieldsEntry{
			Manager: "kubectl", Operation: metav1.ManagedFieldsOperationUpdate, FieldsType: "FieldsV1",
			FieldsV1: &metav1.FieldsV1{Raw: []byte(fields + `}}}`)}, //nolint:staticcheck // the only way that all supported versions have
		})
	}
}

// TestContextOfAnotherProcess: a replica recognizes the context of a webhook in another process by
// the managed fields, in which the API server lists the fields of the user's request.
func TestContextOfAnotherProcess(t *testing.T) {
	t.Parallel()
	other := sampledContext(5)
	created := withOrigin(other, 0, submittedAt)
	scale := func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(7)) }
	old := submitted(func(d *appsv1.Deployment) { d.Generation = 4 }, owning("theirs"), withOrigin(sampledContext(1), 3, submittedAt))
	foreign := func(d *appsv1.Deployment) { // the user changed only the trace id
		d.Annotations[parentKey] = strings.Replace(d.Annotations[parentKey], "00-01", "00-ff", 1)
	}
	for name, tc := range map[string]struct {
		old  *appsv1.Deployment
		obj  *appsv1.Deployment
		keep bool
	}{
		"not sent by the user":    {nil, submitted(owning("theirs"), created), true},
		"traceparent by the user": {nil, submitted(owning("theirs", parentKey), created), true},
		"origin by the user":      {nil, submitted(owning("theirs", parentKey, originKey), created), false},
		"two managers":            {nil, submitted(owning("theirs"), owning(originKey), created), false},
		"fields are not tracked":  {nil, submitted(created), false},
		"without origin":          {nil, submitted(owning("theirs"), bears(other)), false},
		"origin of another context": {nil, submitted(owning("theirs"), created, func(d *appsv1.Deployment) {
			bears(sampledContext(6))(d)
			d.Annotations[originKey] = "0000000000000005-0-1"
		}), false},
		"update":                        {old, edited(old, scale, withOrigin(other, 4, submittedAt)), true},
		"update, of another generation": {old, edited(old, scale, withOrigin(other, 3, submittedAt)), false},
		"update, the old origin":        {old, edited(old, scale, foreign), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tp := tracingtest.NewTracerProvider()
			got, _ := admitThrough(t, reviewOf(t, tc.old, tc.obj, "alice", false), []call{{hook: asHandler(inner{})}}, WithTracerProvider(tp))
			kept := maps.Equal(got, tc.obj.Annotations)
			if kept != tc.keep || len(tp.Spans()) == 1 == tc.keep {
				t.Errorf("annotations kept: %t, spans %v, want kept: %t", kept, spanNames(tp.Spans()), tc.keep)
			}
		})
	}
}

func edited(old *appsv1.Deployment, edit ...func(*appsv1.Deployment)) *appsv1.Deployment {
	d := old.DeepCopy()
	for _, e := range edit {
		e(d)
	}
	return d
}

func TestSentAnnotation(t *testing.T) {
	t.Parallel()
	entry := func(fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{FieldsV1: &metav1.FieldsV1{Raw: []byte(fields)}} //nolint:staticcheck // the only way that all supported versions have
	}
	for name, tc := range map[string]struct {
		managed     []metav1.ManagedFieldsEntry
		sent, known bool
	}{
		"none":          {nil, false, false},
		"without set":   {[]metav1.ManagedFieldsEntry{{}}, false, false},
		"no metadata":   {[]metav1.ManagedFieldsEntry{entry(`{"f:spec":{}}`)}, false, true},
		"another":       {[]metav1.ManagedFieldsEntry{entry(`{"f:metadata":{"f:annotations":{".":{},"f:a":{}}}}`)}, false, true},
		"owned":         {[]metav1.ManagedFieldsEntry{entry(`{}`), entry(`{"f:metadata":{"f:annotations":{"f:key":{}}}}`)}, true, true},
		"in the spec":   {[]metav1.ManagedFieldsEntry{entry(`{"f:spec":{"f:metadata":{"f:annotations":{"f:key":{}}}}}`)}, false, true},
		"not an object": {[]metav1.ManagedFieldsEntry{entry(`{}`), entry(`{"f:metadata":[]}`)}, false, false},
	} {
		if sent, known := sentAnnotation(tc.managed, "key"); sent != tc.sent || known != tc.known {
			t.Errorf("%s: sentAnnotation = %t, %t, want %t, %t", name, sent, known, tc.sent, tc.known)
		}
	}
}
