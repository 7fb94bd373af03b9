package related_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/operator-tracing/sandbox/sandbox/observe/related"
	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

// cluster has the resources of an API server, one API a line. A resource with a slash is
// cluster-scoped.
const cluster = `
v1 Pod ReplicationController Service ConfigMap Secret ServiceAccount PersistentVolumeClaim Event Endpoints LimitRange ResourceQuota PodTemplate /Namespace /Node /PersistentVolume
apps/v1 Deployment ReplicaSet StatefulSet DaemonSet ControllerRevision
batch/v1 Job CronJob
autoscaling/v2 HorizontalPodAutoscaler
policy/v1 PodDisruptionBudget
networking.k8s.io/v1 Ingress NetworkPolicy /IngressClass
rbac.authorization.k8s.io/v1 Role RoleBinding /ClusterRole /ClusterRoleBinding
coordination.k8s.io/v1 Lease
events.k8s.io/v1 Event
discovery.k8s.io/v1 EndpointSlice
storage.k8s.io/v1 CSIStorageCapacity /StorageClass
dummy.example.com/v1alpha1 Head ChildA ChildB
cert-manager.io/v1 Certificate CertificateRequest Issuer /ClusterIssuer
acme.cert-manager.io/v1 Order Challenge
cache.example.com/v1 Memcached
monitoring.test/v1 ServiceMonitor Prometheus
serving.knative.test/v1 Service
gateway.networking.k8s.io/v1 Gateway
`

// usual are the kinds that operators usually create, with Events.
const usual = "configmaps controllerrevisions.apps cronjobs.batch daemonsets.apps deployments.apps events horizontalpodautoscalers.autoscaling ingresses.networking.k8s.io jobs.batch networkpolicies.networking.k8s.io persistentvolumeclaims poddisruptionbudgets.policy pods replicasets.apps rolebindings.rbac.authorization.k8s.io roles.rbac.authorization.k8s.io secrets serviceaccounts services statefulsets.apps"

func served(t *testing.T) []related.Resource {
	t.Helper()
	var lists []*metav1.APIResourceList
	for line := range strings.Lines(strings.TrimSpace(cluster)) {
		words := strings.Fields(line)
		list := &metav1.APIResourceList{GroupVersion: words[0]}
		for _, word := range words[1:] {
			kind, isCluster := strings.CutPrefix(word, "/")
			plural, _ := strings.CutSuffix(strings.ToLower(kind), "y")
			switch {
			case plural != strings.ToLower(kind):
				plural += "ies"
			case strings.HasSuffix(plural, "ss"):
				plural += "es"
			case !strings.HasSuffix(plural, "s"):
				plural += "s"
			}
			list.APIResources = append(list.APIResources, metav1.APIResource{Name: plural, Kind: kind, Namespaced: !isCluster, Verbs: metav1.Verbs{"get", "list", "watch"}})
		}
		lists = append(lists, list)
	}
	lists = append(lists, &metav1.APIResourceList{GroupVersion: "authorization.k8s.io/v1", APIResources: []metav1.APIResource{{Name: "subjectaccessreviews", Kind: "SubjectAccessReview", Verbs: metav1.Verbs{"create"}}}},
		&metav1.APIResourceList{GroupVersion: "a/b/c", APIResources: []metav1.APIResource{{Name: "odds", Kind: "Odd", Verbs: metav1.Verbs{"list", "watch"}}}})
	return related.Served(lists)
}

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestKinds(t *testing.T) {
	t.Parallel()
	const (
		deployment = "deployments.apps events pods replicasets.apps"
		template   = "spec: {template: {spec: {serviceAccountName: default, containers: [{name: a, image: nginx}]"
	)
	for name, test := range map[string]struct {
		target writes.Object
		// listed objects existed before, and changed ones were written during the observation.
		listed, changed []string
		want            string
	}{
		"a Head": {target: writes.Object{Group: "dummy.example.com", Kind: "Head"}, want: usual + " childas.dummy.example.com childbs.dummy.example.com heads.dummy.example.com"},
		"a Certificate": {
			target: writes.Object{Group: "cert-manager.io", Kind: "Certificate"},
			want:   usual + " certificaterequests.cert-manager.io certificates.cert-manager.io challenges.acme.cert-manager.io clusterissuers.cert-manager.io issuers.cert-manager.io orders.acme.cert-manager.io",
		},
		"an Order":    {target: writes.Object{Group: "acme.cert-manager.io", Kind: "Order"}, want: usual + " certificaterequests.cert-manager.io certificates.cert-manager.io challenges.acme.cert-manager.io clusterissuers.cert-manager.io issuers.cert-manager.io orders.acme.cert-manager.io"},
		"a Memcached": {target: writes.Object{Group: "cache.example.com", Kind: "Memcached"}, want: usual + " memcacheds.cache.example.com"},
		"a Deployment": {
			target: writes.Object{Group: "apps", Kind: "Deployment", Namespace: "default", Name: "web"},
			listed: []string{
				"{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: default}, " + template + "}}}}",
				"{apiVersion: apps/v1, kind: Deployment, metadata: {name: other, namespace: default}, " + template + ", volumes: [{secret: {secretName: s}}]}}}}",
			},
			changed: []string{"{apiVersion: v1, kind: Pod, metadata: {name: web-1, namespace: default}, spec: {nodeName: node, restartPolicy: Always, volumes: [{projected: {sources: [{configMap: {name: kube-root-ca.crt}}]}}]}}"},
			want:    deployment,
		},
		"a Deployment with a Secret and a claim": {
			target: writes.Object{Group: "apps", Kind: "Deployment", Namespace: "default", Name: "web"},
			listed: []string{"{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: default}, " + template + ", volumes: [{secret: {secretName: s}}, {persistentVolumeClaim: {claimName: c}}]}}}}"},
			want:   deployment + " persistentvolumeclaims secrets",
		},
		"a Pod with owners": {
			target: writes.Object{Kind: "Pod", Namespace: "default", Name: "web-1"},
			listed: []string{
				"{apiVersion: v1, kind: Pod, metadata: {name: web-1, namespace: default, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web, uid: r}]}}",
				"{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: other, namespace: default, uid: q, ownerReferences: [{apiVersion: monitoring.test/v1, kind: Prometheus, name: p, uid: p}]}}",
				"{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: web, namespace: default, uid: r, ownerReferences: [{apiVersion: cache.example.com/v1, kind: Memcached, name: m, uid: m}]}}",
			},
			want: "events memcacheds.cache.example.com pods replicasets.apps",
		},
		"a reference with a kind, and one of several groups": {
			target:  writes.Object{Group: "autoscaling", Kind: "HorizontalPodAutoscaler"},
			changed: []string{"{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: a}, spec: {scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: db}, serviceName: a}}"},
			want:    "controllerrevisions.apps events horizontalpodautoscalers.autoscaling persistentvolumeclaims pods services statefulsets.apps",
		},
		"an Event": {
			target:  writes.Object{Kind: "ConfigMap"},
			listed:  []string{"{apiVersion: v1, kind: Event, metadata: {name: old}, involvedObject: {apiVersion: v1, kind: Secret}}"},
			changed: []string{"{apiVersion: v1, kind: Event, metadata: {name: e}, involvedObject: {apiVersion: monitoring.test/v1, kind: ServiceMonitor}, related: {apiVersion: v1, kind: Node}}"},
			want:    "configmaps events servicemonitors.monitoring.test",
		},
		"a kind that is not served": {target: writes.Object{Group: "none.test", Kind: "None"}, want: usual},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := related.New([]writes.Object{test.target})
			k.Serve(served(t))
			for _, text := range test.listed {
				k.See(object(t, text), false)
			}
			for _, text := range test.changed {
				k.See(object(t, text), true)
			}
			want := strings.Fields(test.want)
			slices.Sort(want)
			if diff := cmp.Diff(want, related.Names(k.Wanted())); diff != "" {
				t.Errorf("Wanted() (-want +got):\n%s", diff)
			}
			if got, want := k.IsMissing(), test.target.Kind == "None"; got != want {
				t.Errorf("IsMissing() = %t, want %t", got, want)
			}
		})
	}
}

func TestDepends(t *testing.T) {
	t.Parallel()
	k := related.New([]writes.Object{{Group: "cache.example.com", Kind: "Memcached"}})
	k.Serve(served(t))
	others := related.Names(k.Others())
	for _, name := range []string{"servicemonitors.monitoring.test", "resourcequotas"} {
		if !slices.Contains(others, name) {
			t.Errorf("Others() = %v, want also %s", others, name)
		}
	}
	for _, name := range []string{"pods", "namespaces", "nodes", "leases.coordination.k8s.io", "events.events.k8s.io"} {
		if slices.Contains(others, name) {
			t.Errorf("Others() = %v, without %s", others, name)
		}
	}
	monitor := schema.GroupKind{Group: "monitoring.test", Kind: "ServiceMonitor"}
	owned := func(kind string) []metav1.PartialObjectMetadata {
		return []metav1.PartialObjectMetadata{{}, {ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{APIVersion: "cache.example.com/v1", Kind: kind}}}}}
	}
	if k.Depends(monitor, nil) || k.Depends(monitor, owned("Other")) {
		t.Error("Depends() of objects without a related owner = true")
	}
	if !k.Depends(monitor, owned("Memcached")) || k.Depends(monitor, owned("Memcached")) {
		t.Error("Depends() of a dependent, twice, is not true and false")
	}
	if wanted := related.Names(k.Wanted()); !slices.Contains(wanted, "servicemonitors.monitoring.test") || !slices.Contains(wanted, "prometheus.monitoring.test") {
		t.Errorf("Wanted() = %v, want also the group of the dependent", wanted)
	}
	cluster := related.New([]writes.Object{{Group: "cert-manager.io", Kind: "ClusterIssuer"}})
	cluster.Serve(served(t))
	if others := related.Names(cluster.Others()); !slices.Contains(others, "clusterroles.rbac.authorization.k8s.io") {
		t.Errorf("Others() = %v, want cluster-scoped kinds too", others)
	}
}

// The references of any object end, and add only served kinds.
func FuzzSee(f *testing.F) {
	f.Add(`{"kind":"Pod","apiVersion":"v1","metadata":{"ownerReferences":[{"kind":"Head","apiVersion":"dummy.example.com/v1"}]},"spec":{"secretName":"a","ref":{"kind":"Service","name":"b"}}}`)
	f.Add(`{"kind":"Event","apiVersion":"v1","involvedObject":{"apiVersion":1,"kind":[]},"related":"x"}`)
	f.Add(`{"kind":1,"metadata":[],"spec":[[[["a"]]]]}`)
	f.Fuzz(func(t *testing.T, text string) {
		u := &unstructured.Unstructured{}
		if yaml.Unmarshal([]byte(text), &u.Object) != nil || u.Object == nil {
			return
		}
		k := related.New([]writes.Object{{Kind: "ConfigMap"}})
		k.Serve(served(t))
		k.See(u, true)
		if k.See(u, true) {
			t.Error("See() of the same object again = true")
		}
	})
}
