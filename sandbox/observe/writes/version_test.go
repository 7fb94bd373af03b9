package writes

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

const certificate = `
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: web
  namespace: default
  uid: u
  resourceVersion: "1"
  managedFields:
  - {manager: trigger, operation: Update, subresource: status, time: "2026-11-30T12:00:00Z", fieldsV1: {"f:status": {"f:conditions": {"k:{\"type\":\"Issuing\"}": {".": {}, "f:status": {}, "f:type": {}}}}}}
  - {manager: readiness, operation: Update, subresource: status, time: "2026-11-30T12:00:00Z", fieldsV1: {"f:status": {"f:conditions": {"k:{\"type\":\"Ready\"}": {".": {}, "f:status": {}, "f:type": {}}}}}}
  - {manager: kubectl, operation: Update, time: "2026-11-30T12:00:00Z", fieldsV1: {"f:spec": {"f:secretName": {}, "f:dnsNames": {}}}}
spec: {secretName: web-tls, dnsNames: [a.test]}
status:
  conditions:
  - {type: Issuing, status: "True"}
  - {type: Ready, status: "False"}
`

// decode returns an object after replacements in its text.
func decode(t *testing.T, text string, replace ...string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(strings.NewReplacer(replace...).Replace(text)), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

// A write that changes only values of its manager's own fields changes no entry in managedFields.
func TestManagerByValues(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		replace       []string
		manager, verb string
	}{
		"a condition of the first":         {[]string{`{type: Issuing, status: "True"}`, `{type: Issuing, status: "False"}`}, "trigger", "update_status"},
		"a condition of the second":        {[]string{`{type: Ready, status: "False"}`, `{type: Ready, status: "True"}`}, "readiness", "update_status"},
		"the desired state":                {[]string{"web-tls", "other-tls"}, "kubectl", "update"},
		"a list":                           {[]string{"[a.test]", "[a.test, b.test]"}, "kubectl", "update"},
		"an entry":                         {[]string{"manager: trigger, operation: Update, subresource: status, time: \"2026-11-30T12:00:00Z\"", "manager: trigger, operation: Update, subresource: status, time: \"2026-11-30T12:00:05Z\""}, "trigger", "update_status"},
		"fields without a manager get one": {[]string{"managedFields:", "managedFields:\n  - {manager: before-first-apply, operation: Update, fieldsV1: {\"f:spec\": {}}}\n  - {manager: helm, operation: Apply, fieldsV1: {\"f:spec\": {}}}"}, "helm", "apply"},
		"a manager of two API versions":    {[]string{"  - {manager: kubectl,", "  - {manager: kubectl, apiVersion: v1beta1, operation: Update, fieldsV1: {\"f:spec\": {}}}\n  - {manager: kubectl,"}, "kubectl", "update"},
		"managedFields are stripped":       {[]string{"managedFields:", "unmanagedFields:"}, "", "update"},
		"a field that has no owner":        {[]string{"status:\n  conditions", "status:\n  revision: 1\n  conditions"}, "", "update_status"},
		"invalid fieldsV1":                 {[]string{`{"f:spec": {"f:secretName": {}, "f:dnsNames": {}}}`, `[]`}, "kubectl", "update"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := NewStore(false)
			now := time.Unix(1_000_000, 0)
			if p := s.Put(Change{Object: decode(t, certificate), At: now, Listed: true}); p != nil {
				t.Fatal("a listed object is a write")
			}
			p := s.Put(Change{Object: decode(t, certificate, append(test.replace, `resourceVersion: "1"`, `resourceVersion: "2"`)...), At: now})
			if p == nil {
				t.Fatal("no write")
			}
			if w := s.Resolve(p); w.Manager != test.manager || w.Verb != test.verb {
				t.Errorf("Resolve() = %s by %q, want %s by %q", w.Verb, w.Manager, test.verb, test.manager)
			}
		})
	}
}

// Digesting versions of any form does not panic, keeps bounds, and orders causes.
func FuzzDigest(f *testing.F) {
	f.Add(certificate, certificate)
	f.Add("{metadata: {managedFields: [{fieldsV1: {\"k:{}\": {}}}], ownerReferences: [{}]}, spec: {selector: {a: 1}, a: [[[]]]}, status: {conditions: [1]}}", "{}")
	for _, text := range wrongTypes {
		f.Add(text, certificate)
		f.Add(certificate, text)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		s := NewStore(false)
		for i, text := range []string{certificate, first, second, first} {
			u := &unstructured.Unstructured{}
			if yaml.Unmarshal([]byte(text), &u.Object) != nil || u.Object == nil {
				return
			}
			if metadata, ok := u.Object["metadata"].(map[string]any); ok || u.Object["metadata"] == nil {
				if metadata == nil {
					metadata = map[string]any{}
				}
				metadata["uid"], metadata["resourceVersion"] = []string{"u", "other"}[i%2], strconv.Itoa(i+1)
				u.Object["metadata"] = metadata
			}
			for _, deleted := range []bool{false, i == 3} {
				p := s.Put(Change{Object: u, At: time.Unix(int64(i), 0), Lost: i == 2, Deleted: deleted})
				if p == nil {
					continue
				}
				w := s.Resolve(p)
				if w.Cause.Certainty != "" && (w.Cause.Revision >= w.After || w.Cause.At.After(w.At)) {
					t.Errorf("the cause of @%d at %s is @%d at %s", w.After, w.At, w.Cause.Revision, w.Cause.At)
				}
				if len(w.Fields) > maxFields || len(w.Transitions) > maxEntries || w.Verb == "" || !w.Span.IsValid() {
					t.Errorf("%d fields, %d transitions, verb %q, span %v", len(w.Fields), len(w.Transitions), w.Verb, w.Span)
				}
			}
		}
	})
}

// wrongTypes are objects whose parts have types that the API does not allow.
var wrongTypes = []string{
	"{metadata: text}", "{metadata: []}", "{spec: text, status: text}", "{spec: [], status: []}", "{spec: null, status: null}", "{spec: 1, status: true}",
	"{apiVersion: 1, kind: [], metadata: {name: 1, namespace: {}, labels: [], annotations: text, finalizers: {}, ownerReferences: text, managedFields: text, generation: text, deletionTimestamp: 5}}",
	"{apiVersion: a/b/c, kind: Pod, metadata: {labels: {a: 1}, finalizers: [1], ownerReferences: [1, {uid: 1, controller: text}], managedFields: [1, {manager: 1}], deletionTimestamp: now}}",
	"{metadata: {managedFields: [{manager: a, fieldsV1: text}, {manager: b, fieldsV1: {\"f:spec\": text, \"k:[\": {}, \"k:{\\\"a\\\":{}}\": {}, \"v:1\": {}, \"i:0\": {}, \"\": {}}}, {manager: a, time: never}]}, spec: [1]}",
	"{status: {conditions: text}}", "{status: {conditions: {}}}", "{status: {conditions: [text, {type: 1, status: {}}, {type: A}, {status: \"True\"}, {type: A, status: \"True\", reason: 1}]}}",
	"{apiVersion: v1, kind: Pod, spec: {nodeName: 1}}", "{apiVersion: v1, kind: Pod, spec: {nodeName: {}}, status: {conditions: [{type: Ready, status: true}]}}",
	"{spec: {selector: text}}", "{spec: {selector: {matchLabels: text}}}", "{spec: {selector: {matchLabels: {a: 1}}}}", "{spec: {kind: 1, a: {kind: [], name: 1}}}",
}
