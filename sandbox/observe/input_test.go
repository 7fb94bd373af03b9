package observe

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

// Unusual relations and writers have causes that are earlier writes, or none.
func TestUnusualInput(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ stream, want string }{
		"owners in a cycle": {`
 0 1 ADDED Head a kubectl
10 2 ADDED ChildA b operator owner=Head/a
20 3 MODIFIED Head a operator owner=ChildA/b
30 4 MODIFIED ChildA b operator:status Ready=True
40 5 MODIFIED Head a operator:status Ready=True
50 6 DELETED Head a -
60 7 DELETED ChildA b -
`, `
kubectl create Head@1
operator create ChildA@2 <- same Head@1
operator update Head@3 <- same Head@1
operator update_status ChildA@4 <- owner Head@3
operator update_status Head@5 <- owner ChildA@4
 remove Head@6 <- owner Head@5
garbage-collector-controller remove ChildA@7 <- same Head@6
`},
		"an object that owns itself": {`
 0 1 ADDED Head a kubectl
10 2 MODIFIED Head a operator owner=Head/a
20 3 MODIFIED Head a operator:status Ready=True
30 4 DELETED Head a -
`, `
kubectl create Head@1
operator update Head@2 <- same Head@1
operator update_status Head@3 <- same Head@1
 remove Head@4 <- same Head@3
`},
		"an owner in another namespace": {`
 0 1 ADDED Head a kubectl namespace=other
10 2 ADDED ChildA b operator owner=Head/a
20 3 MODIFIED ChildA b operator:status Ready=True
30 4 MODIFIED Head a operator:status Ready=True
`, `
kubectl create Head@1
operator create ChildA@2 <- same Head@1
operator update_status ChildA@3 <- same ChildA@2
operator update_status Head@4 <- owner ChildA@3
`},
		"a cluster-scoped owner": {`
 0 1 ADDED Head a kubectl namespace=
10 2 ADDED ChildA b operator owner=Head/a
20 3 MODIFIED ChildA b operator:status Ready=True
30 4 MODIFIED Head a operator:status Ready=True
`, `
kubectl create Head@1
operator create ChildA@2 <- same Head@1
operator update_status ChildA@3 <- same ChildA@2
operator update_status Head@4 <- owner ChildA@3
`},
		"a cluster-scoped object of a namespaced owner": {`
 0 1 ADDED Head a kubectl
10 2 ADDED ChildA b operator owner=Head/a namespace=
20 3 MODIFIED Head a operator:status Ready=True
`, `
kubectl create Head@1
operator create ChildA@2 <- same Head@1
operator update_status Head@3 <- same Head@1
`},
		"a dependent is deleted before its owner": {`
 0 1 ADDED Head a kubectl
10 2 ADDED ChildA b operator owner=Head/a
20 3 MODIFIED Head a operator:status Ready=True
10000 4 DELETED ChildA b -
10010 5 DELETED Head a -
`, `
kubectl create Head@1
operator create ChildA@2 <- same Head@1
operator update_status Head@3 <- same Head@1
 remove ChildA@4
 remove Head@5
`},
		"two controllers with one name": {`
 0 1 ADDED Head a kubectl
10 2 ADDED ChildA b manager owner=Head/a
20 3 ADDED Deployment c manager owner=ChildA/b
30 4 MODIFIED Deployment c manager:status Available=True
40 5 MODIFIED ChildA b manager:status Ready=True
50 6 MODIFIED Head a manager:status Ready=True
`, `
kubectl create Head@1
manager create ChildA@2 <- same Head@1
manager create Deployment@3 <- same ChildA@2
manager update_status Deployment@4 <- same Deployment@3
manager update_status ChildA@5 <- owner Deployment@4
manager update_status Head@6 <- owner ChildA@5
`},
		"a claim and its volume": {`
 0 11 ADDED StatefulSet a kubectl
10 12 ADDED PersistentVolumeClaim c kube-controller-manager owner=StatefulSet/a
20 13 ADDED Pod p kube-controller-manager owner=StatefulSet/a spec.persistentVolumeClaim.claimName=c
30 14 MODIFIED PersistentVolumeClaim c kube-scheduler metadata.annotations.node=n
40 15 MODIFIED PersistentVolumeClaim c kube-controller-manager metadata.annotations.provisioner=p
50 16 ADDED PersistentVolume v provisioner namespace= spec.claimRef.kind=PersistentVolumeClaim spec.claimRef.name=c spec.claimRef.namespace=default
60 17 MODIFIED PersistentVolume v kube-controller-manager:status status.phase=Bound
70 18 MODIFIED PersistentVolumeClaim c kube-controller-manager spec.volumeName=v
80 19 MODIFIED PersistentVolumeClaim c kube-controller-manager:status status.phase=Bound
90 20 MODIFIED Pod p - spec.nodeName=n
`, `
kubectl create StatefulSet@11
statefulset-controller create PersistentVolumeClaim@12 <- same StatefulSet@11
statefulset-controller create Pod@13 <- same StatefulSet@11
kube-scheduler update PersistentVolumeClaim@14 <- same Pod@13
persistentvolume-binder-controller update PersistentVolumeClaim@15 <- same PersistentVolumeClaim@14
provisioner create PersistentVolume@16 <- same PersistentVolumeClaim@15
persistentvolume-binder-controller update_status PersistentVolume@17 <- same PersistentVolume@16
persistentvolume-binder-controller update PersistentVolumeClaim@18 <- reference PersistentVolume@17
persistentvolume-binder-controller update_status PersistentVolumeClaim@19 <- reference PersistentVolume@17
kube-scheduler bind Pod@20 <- reference PersistentVolumeClaim@19
`},
		"a claim without an owner": {`
 0 11 ADDED StatefulSet my-a kubectl
10 12 ADDED PersistentVolumeClaim data-my-a-0 kube-controller-manager
20 13 ADDED Pod p kube-controller-manager owner=StatefulSet/my-a spec.persistentVolumeClaim.claimName=data-my-a-0
`, `
kubectl create StatefulSet@11
statefulset-controller create PersistentVolumeClaim@12 <- same StatefulSet@11
statefulset-controller create Pod@13 <- same StatefulSet@11
`},
		"an operator strips managedFields": {`
 0 1 ADDED Head a kubectl
10 2 ADDED ChildA b operator owner=Head/a
20 3 MODIFIED ChildA b stripped
30 4 MODIFIED ChildA b - Ready=True
40 5 MODIFIED Head a operator:status Ready=True
`, `
kubectl create Head@1
operator create ChildA@2 <- same Head@1
 update ChildA@3
 update_status ChildA@4 <- same ChildA@3
operator update_status Head@5 <- owner ChildA@4
`},
		"created, deleted and created again within a second": {`
  0 1 ADDED Head a kubectl
 10 2 ADDED ChildA b operator owner=Head/a
100 3 DELETED Head a -
110 4 DELETED ChildA b -
120 5 ADDED Head a kubectl
130 6 ADDED ChildA b operator owner=Head/a
140 7 MODIFIED Head a operator:status Ready=True
`, `
kubectl create Head@1
operator create ChildA@2 <- same Head@1
 remove Head@3
garbage-collector-controller remove ChildA@4 <- same Head@3
kubectl create Head@5
operator create ChildA@6 <- same Head@5
operator update_status Head@7 <- same Head@5
`},
		"versions were lost": {`
   0 1 ADDED Head a kubectl
  10 2 ADDED ChildA b operator owner=Head/a
9000 8 LOST ChildA b operator:status Ready=True
9000 9 LOST Deployment c operator owner=ChildA/b
9010 10 MODIFIED Head a operator:status Ready=True
`, `
kubectl create Head@1
operator create ChildA@2 <- same Head@1
operator update_status ChildA@8 <- same ChildA@2
operator create Deployment@9 <- same ChildA@2
operator update_status Head@10 <- owner ChildA@8
`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStream(t)
			s.wantCauses(test.stream, test.want)
			for _, span := range s.spans {
				_, lost := span.Attributes().Get(AttributeLost)
				if after, _ := span.Attributes().Get(AttributeAfter); lost != (after.Str() == "8" || after.Str() == "9") {
					t.Errorf("%s@%s is marked as lost: %t", span.Name(), after.Str(), lost)
				}
			}
		})
	}
}

// Times of nodes and controllers do not matter, only when a watch delivered a version.
func TestClockSkew(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile(filepath.Join("testdata", "head.tree"))
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(5) {
		random := rand.New(rand.NewPCG(seed, 0))
		anyTime := func() metav1.Time {
			return metav1.NewTime(time.Unix(1_000_000, 0).Add(time.Duration(random.Int64N(int64(48*time.Hour))) - 24*time.Hour))
		}
		s := newStream(t)
		s.change = func(u *unstructured.Unstructured) {
			u.SetCreationTimestamp(anyTime())
			conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
			for i := range conditions {
				conditions[i].(map[string]any)["lastTransitionTime"] = anyTime().UTC().Format(time.RFC3339)
			}
			if conditions != nil {
				if err := unstructured.SetNestedSlice(u.Object, conditions, "status", "conditions"); err != nil {
					t.Fatal(err)
				}
			}
			if u.GetKind() == "Pod" {
				if err := unstructured.SetNestedField(u.Object, anyTime().UTC().Format(time.RFC3339), "status", "startTime"); err != nil {
					t.Fatal(err)
				}
			}
		}
		s.play(head)
		s.end()
		if diff := cmp.Diff(string(want), s.tree()); diff != "" {
			t.Fatalf("seed %d: spans (-want +got):\n%s", seed, diff)
		}
	}
}

// A kubelet can claim that a pull took longer than the Pod exists.
// The writes of head before the Pod's sandbox is ready, and since its container is.
var (
	headStart, _, _ = strings.Cut(head, "539.3")
	_, headRest, _  = strings.Cut(head, "705.1")
	headEnd         = "705.1" + headRest
)

func TestPullTimeFromMessage(t *testing.T) {
	t.Parallel()
	for _, message := range []string{
		"Successfully pulled image in 3s", "Successfully pulled image in 999999h", "pulled in 99999999999999999999999h", "pulled in 1.2.3s", "pulled in ", "pulled in .", "",
	} {
		s := newStream(t)
		s.play(headStart)
		pod := s.objects["Pod/p"].GetUID()
		for i, reason := range []string{"Pulling", "Pulled", "Created", "Started"} {
			at := s.start.Add(time.Duration(200+100*i) * time.Millisecond)
			s.observer.Add(writes.Change{Object: eventAbout(pod, reason, message), At: at})
			s.last = at
		}
		s.play(headEnd)
		s.end()
		found := 0
		for _, span := range s.spans {
			if strings.HasSuffix(span.Name(), " container") {
				found++
			}
			if span.StartTimestamp().AsTime().Before(s.start) || span.EndTimestamp() < span.StartTimestamp() {
				t.Errorf("%q: span %q from %s to %s", message, span.Name(), span.StartTimestamp().AsTime(), span.EndTimestamp().AsTime())
			}
		}
		if found != 4 {
			t.Errorf("%q: %d phases, want 4", message, found)
		}
	}
}

func eventAbout(uid types.UID, reason, message string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Event", "metadata": map[string]any{"name": "e", "namespace": "default"}, "reason": reason, "message": message,
		"involvedObject": map[string]any{"uid": string(uid), "fieldPath": "spec.containers{c}"},
	}}
}

// Events wait for their objects and are attached to spans, both within bounds.
func TestManyEvents(t *testing.T) {
	t.Parallel()
	s := newStream(t)
	s.play("0 1 ADDED Head h kubectl")
	uid := s.objects["Head/h"].GetUID()
	message := strings.Repeat("é", maxMessage)
	for i := range maxEvents + 10 {
		s.observer.Add(writes.Change{Object: eventAbout(uid, fmt.Sprint("Reason", i), message), At: s.start.Add(time.Millisecond)})
	}
	if len(s.observer.events) != maxEvents {
		t.Errorf("%d Events wait, want %d", len(s.observer.events), maxEvents)
	}
	s.end()
	if len(s.spans) != 1 || s.spans[0].Events().Len() != maxParts {
		t.Fatalf("%d spans, want one with %d events", len(s.spans), maxParts)
	}
	if message, _ := s.spans[0].Events().At(0).Attributes().Get("k8s.event.message"); len(message.Str()) > maxMessage || message.Str() == "" {
		t.Errorf("the message has %d bytes, want at most %d", len(message.Str()), maxMessage)
	}
}

// Two controllers that react to each other forever fill their trace to its bound.
func TestEndlessReactions(t *testing.T) {
	t.Parallel()
	s := newStream(t)
	s.play("0 1 ADDED Head h kubectl\n0 2 ADDED ChildA a operator owner=Head/h")
	for i := range maxSpans/2 + 10 {
		s.event(fmt.Sprintf("%d %d MODIFIED Head h one:status status.n=%d", 10*i+1, 2*i+3, i))
		s.event(fmt.Sprintf("%d %d MODIFIED ChildA a two:status status.n=%d", 10*i+2, 2*i+4, i))
	}
	s.end()
	traces := map[string]int{}
	for _, span := range s.spans {
		traces[span.TraceID().String()]++
	}
	if len(traces) != 1 || len(s.spans) != maxSpans {
		t.Errorf("%d spans in %d traces, want %d in one", len(s.spans), len(traces), maxSpans)
	}
}

// An observer whose receiver is down for long keeps what its limits allow.
func TestReceiverDown(t *testing.T) {
	t.Parallel()
	down, received := true, 0
	var reported uint64
	s := newStream(t)
	s.observer.options.Exported = func(revision uint64) { reported = revision }
	s.observer.options.Export = func(_ context.Context, traces ptrace.Traces) error {
		if down {
			return errors.New("down")
		}
		received += traces.SpanCount()
		return nil
	}
	const n = maxUnsent * 3 / 2
	for i := range n {
		u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Secret"}}
		u.SetUID(types.UID(fmt.Sprint("uid-", i)))
		u.SetResourceVersion(fmt.Sprint(i + 1))
		s.last = s.start.Add(time.Duration(i) * 10 * time.Millisecond)
		s.observer.Add(writes.Change{Object: u, At: s.last})
		if i%500 == 0 {
			s.observer.Advance(t.Context(), s.last)
		}
	}
	if len(s.observer.ready) > maxUnsent+1000 || len(s.observer.decided) > maxUnsent || reported != 0 {
		t.Errorf("%d spans and %d writes wait, and %d were reported, want at most %d each and none", len(s.observer.ready), len(s.observer.decided), reported, maxUnsent)
	}
	down = false
	for i := range 5 {
		s.observer.Advance(t.Context(), s.last.Add(time.Duration(i+2)*time.Second))
	}
	if received < maxUnsent || reported != n {
		t.Errorf("received %d spans up to %d, want at least %d up to %d", received, reported, maxUnsent, n)
	}
}

// An Event of any form about a starting Pod is at most a part of its span.
func FuzzEvent(f *testing.F) {
	f.Add("{reason: Pulled, message: pulled in 1s, involvedObject: {fieldPath: \"spec.containers{c}\"}}")
	f.Add("{reason: 1, message: {}, type: [], note: 1, involvedObject: text}")
	f.Add("{reason: Started, regarding: {fieldPath: \"spec.initContainers{}}\"}, involvedObject: []}")
	f.Add("{metadata: text, regarding: {uid: 1}, note: text}")
	f.Fuzz(func(t *testing.T, text string) {
		s := newStream(t)
		s.play(headStart)
		u := &unstructured.Unstructured{}
		if yaml.Unmarshal([]byte(text), &u.Object) != nil || u.Object == nil {
			return
		}
		u.SetAPIVersion("v1")
		u.SetKind("Event")
		for _, field := range []string{"involvedObject", "regarding"} {
			if about, ok := u.Object[field].(map[string]any); ok {
				about["uid"] = string(s.objects["Pod/p"].GetUID())
			}
		}
		s.observer.Add(writes.Change{Object: u, At: s.last})
		s.end()
		for _, span := range s.spans {
			if span.StartTimestamp().AsTime().Before(s.start) || span.EndTimestamp() < span.StartTimestamp() || span.Events().Len() > maxParts {
				t.Errorf("span %q from %s to %s with %d events", span.Name(), span.StartTimestamp().AsTime(), span.EndTimestamp().AsTime(), span.Events().Len())
			}
		}
	})
}
