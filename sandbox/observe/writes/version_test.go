package writes

import (
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
		"a condition of the first":  {[]string{`{type: Issuing, status: "True"}`, `{type: Issuing, status: "False"}`}, "trigger", "update_status"},
		"a condition of the second": {[]string{`{type: Ready, status: "False"}`, `{type: Ready, status: "True"}`}, "readiness", "update_status"},
		"the desired state":         {[]string{"web-tls", "other-tls"}, "kubectl", "update"},
		"a list":                    {[]string{"[a.test]", "[a.test, b.test]"}, "kubectl", "update"},
		"an entry":                  {[]string{"manager: trigger, operation: Update, subresource: status, time: \"2026-11-30T12:00:00Z\"", "manager: trigger, operation: Update, subresource: status, time: \"2026-11-30T12:00:05Z\""}, "trigger", "update_status"},
		"a field that has no owner": {[]string{"status:\n  conditions", "status:\n  revision: 1\n  conditions"}, "", "update_status"},
		"invalid fieldsV1":          {[]string{`{"f:spec": {"f:secretName": {}, "f:dnsNames": {}}}`, `[]`}, "kubectl", "update"},
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

// Digesting an object of any form does not panic.
func FuzzDigest(f *testing.F) {
	f.Add(certificate)
	f.Add("{metadata: {managedFields: [{fieldsV1: {\"k:{}\": {}}}], ownerReferences: [{}]}, spec: {selector: {a: 1}, a: [[[]]]}, status: {conditions: [1]}}")
	f.Fuzz(func(t *testing.T, text string) {
		u := &unstructured.Unstructured{}
		if yaml.Unmarshal([]byte(text), &u.Object) != nil || u.Object == nil {
			return
		}
		s := NewStore(false)
		if p := s.Put(Change{Object: u, At: time.Unix(1, 0)}); p != nil {
			s.Resolve(p)
		}
	})
}
