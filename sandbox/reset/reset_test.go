package reset

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

// object returns an object whose key and UID are its name, with owners of these UIDs.
func object(kind, namespace, name string, owners ...string) Object {
	o := Object{Key: name, Kind: schema.GroupVersionKind{Version: "v1", Kind: kind}, ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(name)}}
	for _, owner := range owners {
		o.OwnerReferences = append(o.OwnerReferences, metav1.OwnerReference{UID: types.UID(owner)})
	}
	return o
}

// of labels an object as the sandbox's, as a part of a component.
func of(component string, o Object) Object {
	o.Labels = map[string]string{apply.ManagedByLabel: apply.FieldManager, apply.ComponentLabel: component}
	return o
}

func annotated(o Object, name string) Object {
	o.Annotations = map[string]string{name: "x"}
	return o
}

// installed are the objects of a sandbox after up, and sample are its sample's.
var (
	installed = []Object{
		object("Namespace", "", "kube-system"), object("Namespace", "", "default"), object("ServiceAccount", "default", "default"),
		of(component.Operator, object("Namespace", "", "operator-system")), of(component.Operator, object("Deployment", "operator-system", "operator")),
		object("ReplicaSet", "operator-system", "operator-1", "operator"), object("Pod", "operator-system", "operator-1-a", "operator-1"),
	}
	sample = []Object{
		of(component.Sample, object("Head", "default", "head-sample")), object("Deployment", "default", "head-sample-child", "head-sample"),
		object("Pod", "default", "head-sample-child-1", "head-sample-child"),
	}
)

func keysOf(objects []Object) Keys {
	keys := Keys{}
	for _, o := range objects {
		keys.Insert(o.Key)
	}
	return keys
}

func TestInstalledKeysOfANewCluster(t *testing.T) {
	t.Parallel()
	all := slices.Concat(installed, sample, []Object{object("Event", "default", "event")})
	if diff := cmp.Diff(keysOf(installed), installedKeys(all, nil)); diff != "" {
		t.Errorf("installedKeys() (-want +got):\n%s", diff)
	}
}

func TestAdded(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		object Object
		added  bool
	}{
		"an object of a user":                     {object("ConfigMap", "default", "mine"), true},
		"a namespace":                             {object("Namespace", "", "team"), true},
		"a dependent of a user's object":          {object("Pod", "default", "mine-1", "mine"), true},
		"an object in the operator's namespace":   {object("ConfigMap", "operator-system", "mine"), true},
		"an event":                                {object("Event", "default", "event"), true},
		"an object of a later up":                 {of(component.Operator, object("ClusterRole", "", "new")), false},
		"a new Pod of the operator":               {object("Pod", "operator-system", "operator-1-b", "operator-1"), false},
		"a lease of the operator":                 {object("Lease", "operator-system", "leader"), false},
		"a lease of Kubernetes":                   {object("Lease", "kube-system", "apiserver-1"), false},
		"a lease of a user":                       {object("Lease", "default", "leader"), true},
		"a Secret of the operator's Certificate":  {annotated(object("Secret", "operator-system", "cert"), component.CertificateName), false},
		"a Secret of a user's Certificate":        {annotated(object("Secret", "default", "cert"), component.CertificateName), true},
		"the authority in the operator's":         {object("ConfigMap", "operator-system", "kube-root-ca.crt"), false},
		"the authority in a user's namespace":     {object("ConfigMap", "team", "kube-root-ca.crt"), true},
		"an object with an unknown owner":         {object("ConfigMap", "default", "orphan", "gone"), true},
		"an object of a user's and of the sample": {object("ConfigMap", "default", "both", "head-sample", "mine"), true},
	} {
		all := slices.Concat(installed, sample, []Object{test.object})
		added := Added(all, keysOf(installed))
		if got := keysOf(added).Has(test.object.Key); got != test.added {
			t.Errorf("%s: added = %t, want %t", name, got, test.added)
		}
		if missing := keysOf(sample).Difference(keysOf(added)); missing.Len() > 0 {
			t.Errorf("%s: Added() lacks %v of the sample", name, missing.UnsortedList())
		}
		if kept := keysOf(installed).Intersection(keysOf(added)); kept.Len() > 0 {
			t.Errorf("%s: Added() has %v, which the sandbox installed", name, kept.UnsortedList())
		}
	}
}

// A later point has the objects that the sandbox installed since, and none of a user.
func TestInstalledKeysOfALaterUp(t *testing.T) {
	t.Parallel()
	added := of(component.Operator, object("ClusterRole", "", "new"))
	all := slices.Concat(installed, sample, []Object{object("ConfigMap", "default", "mine"), added})
	if diff := cmp.Diff(keysOf(append(slices.Clone(installed), added)), installedKeys(all, keysOf(installed))); diff != "" {
		t.Errorf("installedKeys() (-want +got):\n%s", diff)
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	mine := object("ConfigMap", "default", "mine")
	if diff := cmp.Diff([]string{"ConfigMap default/mine"}, Names(Users(append(slices.Clone(sample), mine, object("Event", "default", "event"))))); diff != "" {
		t.Errorf("Names(Users()) (-want +got):\n%s", diff)
	}
}

// Namespaces are first, and owners precede their dependents. A cycle of owners has no effect on others.
func TestGenerations(t *testing.T) {
	t.Parallel()
	objects := []Object{
		object("Pod", "team", "web-1-a", "web-1"), object("ReplicaSet", "team", "web-1", "web"), object("Deployment", "team", "web", "gone"),
		object("ConfigMap", "team", "self", "self"), object("ConfigMap", "team", "a", "b"), object("ConfigMap", "team", "b", "a"),
		object("Namespace", "", "team"),
	}
	var got [][]string
	for _, generation := range generations(objects) {
		var names []string
		for _, o := range generation {
			names = append(names, o.Name)
		}
		got = append(got, names)
	}
	want := [][]string{{"team"}, {"web", "self"}, {"web-1"}, {"web-1-a"}, {"a", "b"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("generations() (-want +got):\n%s", diff)
	}
}
