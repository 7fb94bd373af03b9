package cause

import (
	"fmt"
	"strings"
	"testing"
)

func TestRemedy(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"an undefined kind": {`no matches for kind "Backup" in version "storage.example.com/v1"`, "Backup.storage.example.com"},
		"an unserved group": {
			"failed to get API group resources: unable to retrieve the complete list of server APIs: shots.example.com/v1: no matches for shots.example.com/v1, Resource=",
			"CustomResourceDefinition of shots.example.com/v1",
		},
		"an unserved resource": {"failed to list *v1.Shot: the server could not find the requested resource (get shots.media.example.com)", "shots.media.example.com"},
		"a permission in all namespaces": {
			`configmaps is forbidden: User "system:serviceaccount:a:b" cannot list resource "configmaps" in API group "" at the cluster scope`,
			`{apiGroups: [""], resources: ["configmaps"], verbs: ["list"]} in all namespaces`,
		},
		"a permission in a namespace": {
			`deployments.apps "x" is forbidden: User "system:serviceaccount:a:b" cannot patch resource "deployments/status" in API group "apps" in the namespace "shop"`,
			`{apiGroups: ["apps"], resources: ["deployments/status"], verbs: ["patch"]} in namespace shop`,
		},
		"an escalation": {
			"roles \"x\" is forbidden: user \"u\" (groups=[\"g\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"get\"]}\n{NonResourceURLs:[\"/b\"], Verbs:[\"get\"]}; more",
			`a role with {APIGroups:[""], Resources:["pods"], Verbs:["get"]}, {NonResourceURLs:["/b"], Verbs:["get"]} to`,
		},
		"a role":                  {`clusterroles.rbac.authorization.k8s.io "viewer" not found`, `clusterroles "viewer"`},
		"a role from a cache":     {`ClusterRole.rbac.authorization.k8s.io "viewer" not found`, `clusterrole "viewer"`},
		"a Secret":                {`Secret "token" not found`, `secret "token"`},
		"a ConfigMap":             {`configmaps "settings" not found`, `configmaps "settings"`},
		"an event":                {`events is forbidden: User "u" cannot create resource "events" in API group "" in the namespace "a"`, ""},
		"another object":          {`pods "a" not found`, ""},
		"a terminating namespace": {`pods "a" is forbidden: unable to create new content in namespace b because it is being terminated`, ""},
		"an aggregated API":       {"unable to retrieve the complete list of server APIs: metrics.k8s.io/v1beta1: the server is currently unable to handle the request", ""},
		"Kubernetes' own kind":    {`no matches for kind "Pod" in version "v3"`, ""},
		"nothing":                 {"", ""},
	} {
		for _, text := range []string{test.text, fmt.Sprintf(`{"level":"error","error":%q}`, test.text), fmt.Sprintf("%q", fmt.Sprintf(`{"error":%q}`, test.text))} {
			if got := Remedy(text); got == "" != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("%s: Remedy(%s) = %q, want it to contain %q", name, text, got, test.want)
			}
		}
	}
}
