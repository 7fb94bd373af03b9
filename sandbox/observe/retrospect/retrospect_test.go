package retrospect_test

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/operator-tracing/sandbox/sandbox/observe/retrospect"
)

var update = flag.Bool("update", false, "write testdata/*.tree")

var start = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func second(text string) time.Time {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return start.Add(time.Duration(n) * time.Second)
}

// objects reads one object for each line:
//
//	KIND NAME SECOND [key=value]…
//
// SECOND is the creation time; - is none. The keys are owner=KIND/NAME, by=MANAGER[:SUBRESOURCE]@SECOND,
// TYPE=STATUS@SECOND for a condition, generation=N, rv=N, node=NAME, deleted=SECOND, and
// event=REASON@SECOND for an Event, with a container if it is one of its reasons.
func objects(lines string) (all, events []*unstructured.Unstructured) {
	for line := range strings.Lines(lines) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		u := &unstructured.Unstructured{Object: map[string]any{"kind": words[0], "spec": map[string]any{}}}
		u.SetAPIVersion(map[string]string{"Pod": "v1", "Deployment": "apps/v1", "ReplicaSet": "apps/v1"}[words[0]])
		if u.GetAPIVersion() == "" {
			u.SetAPIVersion("demo.test/v1")
		}
		u.SetNamespace("default")
		u.SetName(words[1])
		u.SetUID(types.UID(words[0] + "/" + words[1]))
		u.SetGeneration(1)
		if words[2] != "-" {
			u.SetCreationTimestamp(metav1.NewTime(second(words[2])))
		}
		for _, word := range words[3:] {
			key, value, _ := strings.Cut(word, "=")
			if key == "event" {
				events = append(events, event(u, value))
				continue
			}
			set(u, key, value)
		}
		all = append(all, u)
	}
	return all, events
}

func set(u *unstructured.Unstructured, key, value string) {
	before, at, _ := strings.Cut(value, "@")
	switch key {
	case "owner":
		kind, name, _ := strings.Cut(value, "/")
		isController := true
		u.SetOwnerReferences(append(u.GetOwnerReferences(), metav1.OwnerReference{Kind: kind, Name: name, UID: types.UID(value), Controller: &isController}))
	case "by":
		manager, subresource, _ := strings.Cut(before, ":")
		e := metav1.ManagedFieldsEntry{Manager: manager, Operation: "Update", Subresource: subresource, FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:a":{}}}`)}
		if subresource != "" {
			e.FieldsV1 = metav1.NewFieldsV1(`{"f:status":{"f:conditions":{}}}`)
		}
		if at != "" {
			e.Time = &metav1.Time{Time: second(at)}
		}
		u.SetManagedFields(append(u.GetManagedFields(), e))
	case "generation":
		n, _ := strconv.Atoi(value)
		u.SetGeneration(int64(n))
	case "rv":
		u.SetResourceVersion(value)
	case "node":
		u.Object["spec"] = map[string]any{"nodeName": value}
	case "deleted":
		when := metav1.NewTime(second(value))
		u.SetDeletionTimestamp(&when)
	default:
		c := map[string]any{"type": key, "status": before}
		if at != "" {
			c["lastTransitionTime"] = second(at).Format(time.RFC3339)
		}
		list, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
		_ = unstructured.SetNestedSlice(u.Object, append(list, c), "status", "conditions")
	}
}

func event(about *unstructured.Unstructured, value string) *unstructured.Unstructured {
	reason, at, _ := strings.Cut(value, "@")
	involved := map[string]any{"uid": string(about.GetUID())}
	if slices.Contains([]string{"Pulling", "Pulled", "Created", "Started"}, reason) {
		involved["fieldPath"] = "spec.containers{c}"
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Event", "reason": reason, "message": "m", "involvedObject": involved, "firstTimestamp": second(at).Format(time.RFC3339),
	}}
}

// The trees are in testdata.
func TestTrees(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ target, objects string }{
		"head": {"Head/h", `
Head h 0 by=kubectl@0 by=operator:status@9 Ready=True@9 rv=50
ChildA a 0 owner=Head/h by=operator@0 by=operator:status@8 Ready=True@8
Deployment d 0 owner=ChildA/a by=operator@0 by=kube-controller-manager:status@8 Progressing=True@0 Available=True@8
ReplicaSet r 0 owner=Deployment/d by=kube-controller-manager@0 by=kube-controller-manager:status@8
Pod p 1 owner=ReplicaSet/r by=kube-controller-manager@1 by=kubelet:status@8 PodScheduled=True@1 PodReadyToStartContainers=True@3 Initialized=True@2 Ready=True@8 node=n event=Pulling@3 event=Pulled@6 event=Created@6 event=Started@7
`},
		"updated": {"Head/h", `
Head h 0 by=kubectl@100 by=operator:status@103 Ready=True@103 generation=2
ChildA a 0 owner=Head/h by=operator@101 by=operator:status@102 Ready=True@102 generation=2
`},
		"dependent": {"ChildA/a", `
Head h 0 by=kubectl@0 by=operator:status@2 Ready=True@2
ChildA a 1 owner=Head/h by=operator@1 by=operator:status@2 Ready=True@2
`},
		"stripped": {"Head/h", `
Head h 0 Ready=True@3
ChildA a 1 owner=Head/h Ready=True@2
Pod p 1 owner=ChildA/a PodScheduled=True@1 Ready=True@2 node=n
`},
		"no_times": {"Head/h", `
Head h - by=kubectl by=operator:status Ready=True
`},
		"no_creation_time": {"Head/h", `
Head h - by=kubectl@4 by=operator:status@5 Ready=True@5
`},
		"clock_skew": {"Head/h", `
Head h 5 by=kubectl@5 by=operator:status@3 Ready=True@3
ChildA a 2 owner=Head/h by=operator@2
`},
		"cycle": {"Head/h", `
Head h 0 owner=ChildA/a by=kubectl@0 by=operator:status@1 Ready=True@1
ChildA a 0 owner=Head/h by=operator@0
`},
		"unfinished": {"Head/h", `
Head h 0 by=kubectl@0 by=operator:status@1 Ready=False@1
Pod p 1 owner=Head/h by=operator@1 by=kubelet:status@4 PodScheduled=True@2 PodReadyToStartContainers=True@4 Ready=False@2 node=n event=Pulling@4
`},
		"deleting": {"Head/h", `
Head h 0 by=kubectl@0 by=operator:status@11 Ready=False@11 deleted=10
`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all, events := objects(test.objects)
			got := tree(retrospect.Trace(types.UID(test.target), all, events))
			file := filepath.Join("testdata", name+".tree")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(string(want), got); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
		})
	}
}

type node struct {
	span    ptrace.Span
	service string
}

// tree draws spans with the seconds of their start and end. Spans must be in one trace, and marked.
func tree(traces ptrace.Traces) string {
	children := map[pcommon.SpanID][]node{}
	ids := map[pcommon.SpanID]bool{}
	for _, resource := range traces.ResourceSpans().All() {
		service, _ := resource.Resource().Attributes().Get("service.name")
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				children[span.ParentSpanID()] = append(children[span.ParentSpanID()], node{span, service.Str()})
				ids[span.SpanID()] = true
			}
		}
	}
	var out strings.Builder
	var draw func(of pcommon.SpanID, indent string)
	draw = func(of pcommon.SpanID, indent string) {
		list := children[of]
		slices.SortFunc(list, func(a, b node) int {
			return cmp.Or(cmp.Compare(a.span.StartTimestamp(), b.span.StartTimestamp()), cmp.Compare(a.span.EndTimestamp(), b.span.EndTimestamp()), strings.Compare(a.span.Name(), b.span.Name()))
		})
		for _, n := range list {
			fmt.Fprintf(&out, "%s%s [%s %s–%s", indent, n.span.Name(), n.service, seconds(n.span.StartTimestamp()), seconds(n.span.EndTimestamp()))
			for _, key := range []string{"operator.cause.certainty", "operator.write.resource_version", "operator.observer.unfinished"} {
				if value, found := n.span.Attributes().Get(key); found {
					fmt.Fprintf(&out, " %s=%s", key[strings.LastIndex(key, ".")+1:], value.AsString())
				}
			}
			out.WriteString("]\n")
			for _, e := range n.span.Events().All() {
				fmt.Fprintf(&out, "%s  · %s\n", indent, e.Name())
			}
			draw(n.span.SpanID(), indent+"  ")
		}
	}
	draw(pcommon.SpanID{}, "")
	return out.String()
}

func seconds(at pcommon.Timestamp) string {
	return strconv.Itoa(int(at.AsTime().Sub(start) / time.Second))
}

// All spans say that they are reconstructed, and how exact they are.
func TestMarked(t *testing.T) {
	t.Parallel()
	all, events := objects("Head h 0 by=kubectl@0 by=operator:status@9 Ready=True@9\nPod p 1 owner=Head/h by=operator@1 by=kubelet:status@3 PodScheduled=True@1 Ready=True@3 node=n event=Started@2")
	traces := retrospect.Trace("Head/h", all, events)
	n := 0
	for _, resource := range traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				n++
				marked, _ := span.Attributes().Get(retrospect.AttributeReconstructed)
				resolution, _ := span.Attributes().Get(retrospect.AttributeResolution)
				if !marked.Bool() || resolution.Str() != "1s" {
					t.Errorf("span %q is not marked: %v", span.Name(), span.Attributes().AsRaw())
				}
			}
		}
	}
	if n < 5 {
		t.Errorf("%d spans, want the tree of a Pod", n)
	}
}

// Random objects, with owner cycles, missing and wrong times: each span starts no earlier than its
// parent, ends no earlier than it starts, and its parent is in the trace. The result does not depend
// on the order of the input.
func TestProperties(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		lines := randomObjects(random)
		all, events := objects(lines)
		if len(all) == 0 {
			continue
		}
		target := all[random.IntN(len(all))].GetUID()
		traces := retrospect.Trace(target, all, events)
		starts := map[pcommon.SpanID]pcommon.Timestamp{}
		var spans []ptrace.Span
		for _, resource := range traces.ResourceSpans().All() {
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					if _, twice := starts[span.SpanID()]; twice {
						t.Fatalf("seed %d: two spans have the ID of %q; objects:\n%s", seed, span.Name(), lines)
					}
					starts[span.SpanID()] = span.StartTimestamp()
					spans = append(spans, span)
				}
			}
		}
		for _, span := range spans {
			parent, found := starts[span.ParentSpanID()]
			if !span.ParentSpanID().IsEmpty() && !found {
				t.Fatalf("seed %d: the parent of %q is missing; objects:\n%s", seed, span.Name(), lines)
			}
			if span.EndTimestamp() < span.StartTimestamp() || span.StartTimestamp() < parent {
				t.Fatalf("seed %d: span %q starts before its cause or ends before its start; objects:\n%s", seed, span.Name(), lines)
			}
		}
		want := tree(traces)
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if got := tree(retrospect.Trace(target, all, events)); got != want {
			t.Fatalf("seed %d: the order of the objects changes the tree; objects:\n%s\n%s\n%s", seed, lines, want, got)
		}
	}
}

func randomObjects(random *rand.Rand) string {
	one := func(words ...string) string { return words[random.IntN(len(words))] }
	at := func() string { return strconv.Itoa(random.IntN(12)) }
	names := []string{"Head/h", "ChildA/a", "ChildA/b", "Deployment/d", "ReplicaSet/r", "Pod/p", "Pod/q"}
	var out strings.Builder
	for _, name := range names {
		if random.IntN(6) == 0 {
			continue
		}
		fmt.Fprintf(&out, "%s %s", strings.Replace(name, "/", " ", 1), one(at(), at(), at(), "-"))
		for range random.IntN(3) {
			fmt.Fprintf(&out, " owner=%s", one(names...))
		}
		for range random.IntN(4) {
			fmt.Fprintf(&out, " by=%s%s", one("kubectl", "operator", "kube-controller-manager", "kubelet"), one("", ":status", ":status", ":scale"))
			if random.IntN(5) > 0 {
				fmt.Fprintf(&out, "@%s", at())
			}
		}
		for range random.IntN(4) {
			fmt.Fprintf(&out, " %s=%s%s", one("Ready", "PodScheduled", "PodReadyToStartContainers", "Available"), one("True", "False"), one("", "@"+at(), "@"+at()))
		}
		if random.IntN(2) == 0 {
			fmt.Fprintf(&out, " node=n event=%s@%s", one("Pulling", "Pulled", "BackOff"), at())
			fmt.Fprintf(&out, " event=%s@%s", one("Created", "Started"), at())
		}
		if random.IntN(8) == 0 {
			fmt.Fprintf(&out, " deleted=%s", at())
		}
		fmt.Fprintf(&out, " generation=%s\n", one("0", "1", "2", "5"))
	}
	return out.String()
}

// Many Events and conditions take no long time, and the span of an object keeps a bounded number.
func TestManyEvents(t *testing.T) {
	t.Parallel()
	all, events := objects("Head h 0 by=kubectl@0 by=operator:status@9 Ready=True@9\nPod p 1 owner=Head/h by=operator@1 by=kubelet:status@3 PodScheduled=True@1 Ready=True@3 node=n")
	for i := range 10_000 {
		events = append(events, event(all[i%2], "BackOff@"+strconv.Itoa(i%12)))
	}
	for i := range 2_000 {
		set(all[0], "Condition"+strconv.Itoa(i), "True@"+strconv.Itoa(i%1000))
	}
	traces := retrospect.Trace("Head/h", all, events)
	if n := traces.SpanCount(); n < 4 || n > 300 {
		t.Errorf("%d spans, want the writes' spans", n)
	}
	for _, resource := range traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				if n := span.Events().Len(); n > 200 {
					t.Errorf("span %q has %d events, want at most 200", span.Name(), n)
				}
			}
		}
	}
}

// The objects are read only.
func TestUnchanged(t *testing.T) {
	t.Parallel()
	all, events := objects("Head h 0 by=kubectl@0 by=operator:status@9 Ready=True@9 deleted=8 event=A@3")
	object, e := all[0].DeepCopy(), events[0].DeepCopy()
	retrospect.Trace("Head/h", all, events)
	if diff := gocmp.Diff(object, all[0]) + gocmp.Diff(e, events[0]); diff != "" {
		t.Errorf("Trace changed its input (-before +after):\n%s", diff)
	}
}
