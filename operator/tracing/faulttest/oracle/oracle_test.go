package oracle

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

// snapshotOf decodes objects in JSON.
func snapshotOf(tb testing.TB, objects ...string) Snapshot {
	tb.Helper()
	var out Snapshot
	for _, text := range objects {
		var obj unstructured.Unstructured
		if err := obj.UnmarshalJSON([]byte(text)); err != nil {
			tb.Fatalf("%v: %s", err, text)
		}
		out = append(out, obj)
	}
	return out
}

// runOf returns a run in a namespace with one step.
func runOf(tb testing.TB, namespace string, objects ...string) *Run {
	tb.Helper()
	return &Run{
		Recording: &plan.Recording{Namespace: namespace},
		Phases:    []Phase{{Step: "apply", Ready: true, Took: time.Millisecond, Objects: snapshotOf(tb, objects...)}},
		Reached:   true,
	}
}

const (
	web1 = `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"namespace":"n-1","name":"web","uid":"u1","resourceVersion":"5","generation":1,"creationTimestamp":"2026-01-01T00:00:00Z"},"data":{"at":"2026-01-01T00:00:00Z","of":"n-1","token":"x","size":"1"},"status":{"observedGeneration":1,"conditions":[{"type":"A","v":"1"},{"type":"B","v":"2"}]}}`
	web2 = `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"namespace":"n-2","name":"web","uid":"u2","resourceVersion":"9","generation":3,"creationTimestamp":"2026-02-01T00:00:00Z"},"data":{"at":"2026-02-01T00:00:07Z","of":"n-2","token":"y","size":"1"},"status":{"observedGeneration":3,"conditions":[{"type":"B","v":"2"},{"type":"A","v":"1"}]}}`
	pod1 = `{"kind":"Pod","apiVersion":"v1","metadata":{"namespace":"n-1","name":"web-abc","generateName":"web-","uid":"p1","ownerReferences":[{"name":"web","uid":"u1"}]},"spec":{"host":"web-abc.n-1"}}`
	pod2 = `{"kind":"Pod","apiVersion":"v1","metadata":{"namespace":"n-2","name":"web-xyz","generateName":"web-","uid":"p2","ownerReferences":[{"name":"web","uid":"u2"}]},"spec":{"host":"web-xyz.n-2"}}`
)

// TestLearn: names, UIDs, times and the order of conditions are equal in all runs, and what else
// differs is in the mask.
func TestLearn(t *testing.T) {
	t.Parallel()
	o, verdicts := Learn([]*Run{runOf(t, "n-1", web1, pod1), runOf(t, "n-2", pod2, web2)})
	if o == nil || len(verdicts) > 0 {
		t.Fatalf("Learn() = %v", verdicts)
	}
	if got := o.Mask().String(); got != "ConfigMap web:data.token" {
		t.Errorf("mask = %q, want only the token", got)
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	change := func(old, with string) string { return strings.Replace(web2, old, with, 1) }
	for name, c := range map[string]struct {
		run  *Run
		edit func(*Run)
		want string
	}{
		"equal":               {run: runOf(t, "n-2", web2, pod2)},
		"masked":              {run: runOf(t, "n-2", change(`"token":"y"`, `"token":"z"`), pod2)},
		"ignored":             {run: runOf(t, "n-2", change(`"size":"1"`, `"size":"1","extra":{"b":"c"}`), pod2)},
		"field":               {run: runOf(t, "n-2", change(`"size":"1"`, `"size":"2"`), pod2), want: `objects differ after apply: ConfigMap web data.size: got "2", want "1"`},
		"field is missing":    {run: runOf(t, "n-2", change(`,"size":"1"`, ``), pod2), want: `objects differ after apply: ConfigMap web data.size: got nothing, want "1"`},
		"condition":           {run: runOf(t, "n-2", change(`"A","v":"1"`, `"A","v":"0"`), pod2), want: `objects differ after apply: ConfigMap web status.conditions[type=A].v: got "0", want "1"`},
		"observed generation": {run: runOf(t, "n-2", change(`"observedGeneration":3`, `"observedGeneration":2`), pod2), want: `objects differ after apply: ConfigMap web status.observedGeneration: got "another generation", want "the object's generation"`},
		"dead owner":          {run: runOf(t, "n-2", web2, strings.Replace(pod2, `"uid":"u2"`, `"uid":"u0"`, 1)), want: `objects differ after apply: Pod web-* metadata.ownerReferences[name=web].uid: got "u0", want "uid of ConfigMap web"`},
		"two Pods":            {run: runOf(t, "n-2", web2, pod2, strings.ReplaceAll(pod2, "xyz", "qqq")), want: `objects differ after apply: Pod web-*: got 2 objects, want 1 object`},
		"no Pod":              {run: runOf(t, "n-2", web2), want: `objects differ after apply: Pod web-*: got nothing, want 1 object`},
		"not ready": {run: runOf(t, "n-2", web2, pod2), edit: func(r *Run) {
			r.Phases[0].Ready, r.Phases[0].Err = false, fmt.Errorf("no size")
		}, want: "not ready after apply: within 1ms: no size"},
		"not reached": {run: runOf(t, "n-2", web2, pod2), edit: func(r *Run) { r.Reached = false }, want: "not reached: the write or event of the plan did not come, so the plan proves nothing"},
		"endless":     {run: runOf(t, "n-2", web2, pod2), edit: func(r *Run) { r.Restless = true }, want: "writes endlessly: the operator is ready and does not stop writing"},
		"exits":       {run: runOf(t, "n-2", web2, pod2), edit: func(r *Run) { r.Exits = make([]string, 6) }, want: "failed on its own: the operator ended 6 times, last with: "},
		"few exits":   {run: runOf(t, "n-2", web2, pod2), edit: func(r *Run) { r.Exits = make([]string, 2) }},
		"finding":     {run: runOf(t, "n-2", web2, pod2), edit: func(r *Run) { r.Findings = []string{"old", "hot loop"} }, want: "new finding: hot loop"},
		"created more": {run: runOf(t, "n-2", web2, pod2), edit: func(r *Run) {
			for range 2 {
				r.Recording.Writes = append(r.Recording.Writes, plan.Write{Identity: plan.Identity{Verb: "create", Resource: "pods", Name: "web-*"}, Code: 201})
			}
		}, want: "created more often: pods: got 2 creates, want 1 create: web-*, web-*"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clean := []*Run{runOf(t, "n-1", web1, pod1), runOf(t, "n-2", pod2, web2)}
			for _, r := range clean {
				r.Recording.Writes = []plan.Write{{Identity: plan.Identity{Verb: "create", Resource: "pods", Name: "web-*"}, Code: 201}}
				r.Findings = []string{"old"}
			}
			o, verdicts := Learn(clean, "*:data.extra")
			if o == nil {
				t.Fatalf("Learn() = %v", verdicts)
			}
			if c.edit != nil {
				c.edit(c.run)
			}
			var got []string
			for _, v := range o.Judge(c.run) {
				got = append(got, v.String())
			}
			if joined := strings.Join(got, "\n"); joined != c.want {
				t.Errorf("Judge() = %s\nwant %s", joined, c.want)
			}
		})
	}
}

// TestUselessCleanRuns: without two equal clean runs there is no oracle.
func TestUselessCleanRuns(t *testing.T) {
	t.Parallel()
	edit := func(r *Run, f func(*Run)) *Run { f(r); return r }
	for name, c := range map[string]struct {
		second *Run
		want   VerdictKind
	}{
		"not ready":       {edit(runOf(t, "n-2", web2), func(r *Run) { r.Phases[0].Ready = false }), NotReady},
		"endless":         {edit(runOf(t, "n-2", web2), func(r *Run) { r.Restless = true }), Endless},
		"exit":            {edit(runOf(t, "n-2", web2), func(r *Run) { r.Exits = []string{"panic"} }), FailedByItself},
		"another object":  {runOf(t, "n-2", web2, pod2), NotDeterministic},
		"another create":  {edit(runOf(t, "n-2", web2), func(r *Run) { r.Recording.Writes = []plan.Write{{Identity: plan.Identity{Verb: "create"}, Code: 201}} }), NotDeterministic},
		"error of a step": {edit(runOf(t, "n-2", web2), func(r *Run) { r.Err = fmt.Errorf("no") }), FailedByItself},
	} {
		o, verdicts := Learn([]*Run{runOf(t, "n-1", web1), c.second})
		if o != nil || len(verdicts) == 0 || verdicts[0].Kind != c.want {
			t.Errorf("%s: Learn() = %v, want %s", name, verdicts, c.want)
		}
	}
}

// TestLeftOver: objects after a deletion are reported, in a clean run and in a faulty one.
func TestLeftOver(t *testing.T) {
	t.Parallel()
	deleting := func(namespace string, left ...string) *Run {
		r := runOf(t, namespace)
		r.Phases = []Phase{{Step: "delete", Ready: true, Deletes: true, Objects: snapshotOf(t, left...)}}
		return r
	}
	o, verdicts := Learn([]*Run{deleting("n-1", web1), deleting("n-2", web2)})
	if o == nil || len(verdicts) != 1 || verdicts[0].Kind != LeftOver || verdicts[0].Object != "ConfigMap web" {
		t.Fatalf("Learn() = %v, want the ConfigMap", verdicts)
	}
	got := o.Judge(deleting("n-2", web2, pod2))
	if len(got) != 1 || got[0].Kind != LeftOver || got[0].Object != "Pod web-*" {
		t.Errorf("Judge() = %v, want the Pod", got)
	}
}

// TestRandomNames: names that the operator chooses at random are masked, and their number counts.
func TestRandomNames(t *testing.T) {
	t.Parallel()
	named := func(name string) string {
		return fmt.Sprintf(`{"kind":"Secret","apiVersion":"v1","metadata":{"namespace":"n","name":%q},"data":{"a":"bi0x"}}`, name)
	}
	o, verdicts := Learn([]*Run{runOf(t, "n", named("web-1")), runOf(t, "n", named("web-2"))})
	if o == nil {
		t.Fatalf("Learn() = %v", verdicts)
	}
	if got := o.Judge(runOf(t, "n", named("web-3"))); len(got) > 0 {
		t.Errorf("Judge() = %v, want none for another name", got)
	}
	if got := o.Judge(runOf(t, "n", named("web-3"), named("web-4"))); len(got) == 0 {
		t.Error("Judge() = none, want a verdict for a second Secret")
	}
}

// TestMaskProperty: for random objects, a run whose masked fields differ passes, and a run with one
// more change has exactly one verdict, which names the field.
func TestMaskProperty(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4)) // the same objects in each run
	for range 300 {
		paths := map[string]int{}
		var tree func(path string, depth int) any
		tree = func(path string, depth int) any {
			if depth == 0 || r.IntN(3) == 0 {
				paths[path] = r.IntN(3) // 0 differs in the clean runs
				return nil
			}
			m := map[string]any{}
			for i := range 1 + r.IntN(3) {
				key := fmt.Sprint("k", i)
				m[key] = tree(path+"."+key, depth-1)
			}
			return m
		}
		shape := map[string]any{"spec": tree("spec", 3)}
		serial := 0
		object := func(changed string) string {
			serial++
			var fill func(path string, v any) any
			fill = func(path string, v any) any {
				m, ok := v.(map[string]any)
				switch {
				case !ok && (path == changed || paths[path] == 0):
					return fmt.Sprint("value ", serial)
				case !ok:
					return "same"
				}
				out := map[string]any{}
				for key, child := range m {
					out[key] = fill(path+"."+key, child)
				}
				return out
			}
			obj := map[string]any{"kind": "Thing", "apiVersion": "v1", "metadata": map[string]any{"name": "a"}, "spec": fill("spec", shape["spec"])}
			data, err := json.Marshal(obj)
			if err != nil {
				t.Fatal(err)
			}
			return string(data)
		}
		o, verdicts := Learn([]*Run{runOf(t, "n", object("")), runOf(t, "n", object(""))})
		if o == nil {
			t.Fatalf("Learn() = %v", verdicts)
		}
		if got := o.Judge(runOf(t, "n", object(""))); len(got) > 0 {
			t.Fatalf("Judge() = %v, want none; mask:\n%s", got, o.Mask())
		}
		for path, kind := range paths {
			if kind == 0 {
				continue
			}
			got := o.Judge(runOf(t, "n", object(path)))
			if len(got) != 1 || got[0].Path != path || got[0].Kind != ObjectsDiffer {
				t.Fatalf("Judge() = %v, want one verdict about %s; mask:\n%s", got, path, o.Mask())
			}
		}
	}
}

func TestBound(t *testing.T) {
	t.Parallel()
	slow := runOf(t, "n")
	slow.Phases[0].Took = 3 * time.Second
	o, _ := Learn([]*Run{runOf(t, "n"), slow})
	if got := o.Bound(10 * time.Second); got != 30*time.Second {
		t.Errorf("Bound(10s) = %s, want 30s", got)
	}
	if got := o.Bound(time.Minute); got != time.Minute {
		t.Errorf("Bound(1m) = %s, want 1m", got)
	}
}
