package observe_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/operator-tracing/sandbox/sandbox/observe"
	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

// podText is a Pod of a Deployment, as the API server has it when the Pod is ready.
const podText = `
apiVersion: v1
kind: Pod
metadata:
  name: web
  generateName: web-6d9c8b7f5d-
  namespace: default
  labels: {app.kubernetes.io/name: web, app.kubernetes.io/instance: web, app.kubernetes.io/component: server, pod-template-hash: 6d9c8b7f5d}
  annotations: {prometheus.io/scrape: "true", checksum/config: 0f343b0931126a20f133d67c2b018a3b}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-6d9c8b7f5d, uid: 5e0e1a6c-0c7f-4a58-8d5e-3a1b0f3b8f10, controller: true, blockOwnerDeletion: true}]
  managedFields:
  - {manager: kube-controller-manager, operation: Update, apiVersion: v1, time: "2026-11-30T12:00:00Z", fieldsType: FieldsV1, fieldsV1: {"f:metadata": {"f:annotations": {".": {}, "f:checksum/config": {}, "f:prometheus.io/scrape": {}}, "f:generateName": {}, "f:labels": {".": {}, "f:app.kubernetes.io/name": {}, "f:app.kubernetes.io/instance": {}, "f:pod-template-hash": {}}, "f:ownerReferences": {".": {}, "k:{\"uid\":\"5e0e1a6c-0c7f-4a58-8d5e-3a1b0f3b8f10\"}": {}}}, "f:spec": {"f:containers": {"k:{\"name\":\"server\"}": {".": {}, "f:env": {".": {}, "k:{\"name\":\"PORT\"}": {".": {}, "f:name": {}, "f:value": {}}}, "f:image": {}, "f:imagePullPolicy": {}, "f:livenessProbe": {}, "f:name": {}, "f:ports": {}, "f:readinessProbe": {}, "f:resources": {}, "f:volumeMounts": {}}}, "f:dnsPolicy": {}, "f:restartPolicy": {}, "f:serviceAccount": {}, "f:serviceAccountName": {}, "f:volumes": {}}}}
  - {manager: kubelet, operation: Update, apiVersion: v1, subresource: status, time: "2026-11-30T12:00:02Z", fieldsType: FieldsV1, fieldsV1: {"f:status": {"f:conditions": {"k:{\"type\":\"ContainersReady\"}": {".": {}, "f:lastProbeTime": {}, "f:lastTransitionTime": {}, "f:status": {}, "f:type": {}}, "k:{\"type\":\"Ready\"}": {".": {}, "f:status": {}, "f:type": {}}}, "f:containerStatuses": {}, "f:hostIP": {}, "f:phase": {}, "f:podIP": {}, "f:startTime": {}}}}
spec:
  containers:
  - name: server
    image: registry.test/team/web:1.2.3
    imagePullPolicy: IfNotPresent
    env: [{name: PORT, value: "8080"}, {name: TOKEN, valueFrom: {secretKeyRef: {name: web-token, key: token}}}]
    envFrom: [{configMapRef: {name: web-settings}}]
    ports: [{name: http, containerPort: 8080, protocol: TCP}, {name: metrics, containerPort: 9090, protocol: TCP}]
    livenessProbe: {httpGet: {path: /healthz, port: http, scheme: HTTP}, periodSeconds: 10, failureThreshold: 3}
    readinessProbe: {httpGet: {path: /readyz, port: http, scheme: HTTP}, periodSeconds: 10, failureThreshold: 3}
    resources: {limits: {cpu: 500m, memory: 128Mi}, requests: {cpu: 10m, memory: 64Mi}}
    volumeMounts: [{mountPath: /certs, name: certs, readOnly: true}, {mountPath: /var/run/secrets/kubernetes.io/serviceaccount, name: kube-api-access-x7k2p, readOnly: true}]
  dnsPolicy: ClusterFirst
  nodeName: node-1
  restartPolicy: Always
  schedulerName: default-scheduler
  serviceAccountName: web
  terminationGracePeriodSeconds: 30
  tolerations: [{effect: NoExecute, key: node.kubernetes.io/not-ready, operator: Exists, tolerationSeconds: 300}, {effect: NoExecute, key: node.kubernetes.io/unreachable, operator: Exists, tolerationSeconds: 300}]
  volumes:
  - {name: certs, secret: {secretName: web-tls, defaultMode: 420}}
  - {name: kube-api-access-x7k2p, projected: {sources: [{serviceAccountToken: {path: token, expirationSeconds: 3607}}, {configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}}]}}
status:
  phase: Running
  hostIP: 10.0.0.1
  podIP: 10.244.0.7
  qosClass: Burstable
  startTime: "2026-11-30T12:00:00Z"
  conditions:
  - {type: PodReadyToStartContainers, status: "True", lastTransitionTime: "2026-11-30T12:00:01Z"}
  - {type: Initialized, status: "True", lastTransitionTime: "2026-11-30T12:00:00Z"}
  - {type: Ready, status: "True", lastTransitionTime: "2026-11-30T12:00:02Z"}
  - {type: ContainersReady, status: "True", lastTransitionTime: "2026-11-30T12:00:02Z"}
  - {type: PodScheduled, status: "True", lastTransitionTime: "2026-11-30T12:00:00Z"}
  containerStatuses: [{name: server, ready: true, started: true, restartCount: 0, image: "registry.test/team/web:1.2.3", imageID: "sha256:0f343b0931126a20f133d67c2b018a3b", containerID: "containerd://1f", state: {running: {startedAt: "2026-11-30T12:00:01Z"}}}]
`

// The observer keeps 5,000 Pods in less than 64 MiB, with ten writes to each hundredth.
func TestHeap(t *testing.T) { // Not parallel: it measures the heap.
	text, err := yaml.YAMLToJSON([]byte(podText))
	if err != nil {
		t.Fatal(err)
	}
	const n = 5000
	revision := 0
	version := func(i int) *unstructured.Unstructured {
		u := &unstructured.Unstructured{}
		if err := json.Unmarshal(text, &u.Object); err != nil {
			t.Fatal(err)
		}
		revision++
		u.SetName(fmt.Sprint("web-6d9c8b7f5d-", i))
		u.SetUID(types.UID(fmt.Sprintf("5e0e1a6c-0c7f-4a58-8d5e-%012d", i)))
		u.SetResourceVersion(fmt.Sprint(revision))
		return u
	}
	before := heapSize()
	o := observe.New(observe.Options{})
	start := time.Unix(1_000_000, 0)
	for i := range n {
		o.Add(writes.Change{Object: version(i), Listed: true, At: start})
	}
	for round := range 10 {
		for i := range n / 100 {
			u := version(i)
			if err := unstructured.SetNestedField(u.Object, fmt.Sprint(round), "status", "message"); err != nil {
				t.Fatal(err)
			}
			o.Add(writes.Change{Object: u, At: start.Add(time.Duration(round) * time.Second)})
		}
		o.Advance(t.Context(), start.Add(time.Duration(round+5)*time.Second))
	}
	kept := heapSize() - before
	runtime.KeepAlive(o)
	t.Logf("%d Pods cost %.1f MiB, each %d bytes", n, float64(kept)/(1<<20), kept/n)
	if kept > 64<<20 {
		t.Errorf("%d Pods cost %d MiB, want less than 64", n, kept>>20)
	}
}

func heapSize() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
