package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
)

// TestPermissionsAreExact compares the permissions of the operator's roles with its requests. The API server
// must reject no request, and the operator must use every permission.
func TestPermissionsAreExact(t *testing.T) {
	f := newReadyFamily(t)
	// The operator has sent the creates. It must also send every update and every write of a deletion.
	f.change(t, f.head, func() { f.head.Spec.ChildA = "example.com/image:2" })
	f.headIs(t, false, v1alpha1.ReasonChildNotReady)
	f.rollOut(t)
	f.headIs(t, true, v1alpha1.ReasonChildReady)
	f.deleteHead(t)

	used := map[string]bool{}
	for _, r := range f.requests(t) {
		used[r.Verb+" "+r.resource()] = true
		if r.ResponseStatus.Code == 403 {
			t.Errorf("rejected: %s %s %s/%s", r.Verb, r.resource(), r.Ref.Namespace, r.Ref.Name)
		}
	}
	// No request requires this permission. The admission of the API server requires it to set an owner
	// reference that blocks deletion. Without it, the API server would reject the creates.
	for _, owner := range []string{"heads", "childas"} {
		used["update "+owner+"/finalizers.dummy.example.com"] = true
	}
	// Informers stream their first list as a watch. They list if an older API server does not support that.
	for _, kind := range []string{"heads.dummy.example.com", "childas.dummy.example.com", "deployments.apps"} {
		used["list "+kind] = true
	}
	// The leader renews its lease with an update after some seconds.
	used["update leases.coordination.k8s.io"] = true

	granted := map[string]bool{}
	for _, rule := range f.rules(t) {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					granted[strings.TrimSuffix(verb+" "+resource+"."+group, ".")] = true
				}
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(granted)), slices.Sorted(maps.Keys(used))); diff != "" {
		t.Errorf("permissions (-granted +used):\n%s", diff)
	}
}

// rules returns all rules that are bound to the operator's service account.
func (c *testCluster) rules(t *testing.T) []rbacv1.PolicyRule {
	t.Helper()
	var cluster rbacv1.ClusterRole
	cluster.Name = "operator-tracing-manager-role"
	c.get(t, &cluster)
	local := rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "operator-tracing-leader-election-role"}}
	c.get(t, &local)
	return append(cluster.Rules, local.Rules...)
}
