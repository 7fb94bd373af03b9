package applytrace_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
	"github.com/operator-tracing/sandbox/sandbox/applytrace"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

const traceparent = "tracing.k8s.io/traceparent"

// applied is a cluster whose applies are traced.
type applied struct {
	*apply.Cluster
	tracer  *applytrace.Tracer
	refused []string
}

// TestCluster uses one API server. The subtests have objects of their own.
func TestCluster(t *testing.T) {
	t.Parallel()
	config := applytest.Start(t)
	for name, test := range map[string]func(*testing.T, *applied){
		"Unchanged": testUnchanged, "ZeroValue": testZeroValue, "Drift": testDrift, "OwnContext": testOwnContext, "Policy": testPolicy, "WithoutHash": testWithoutHash,
		"HeaderOnly": testHeaderOnly,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := apply.NewCluster(config, applytest.Manifests(t).Subject())
			if err != nil {
				t.Fatal(err)
			}
			a := &applied{Cluster: c, tracer: applytrace.New(apply.FieldManager)}
			a.tracer.Unchanged = apply.AppliedAnnotation
			a.tracer.Refused = func(obj *unstructured.Unstructured, _ error) { a.refused = append(a.refused, apply.Describe(obj)) }
			c.OnApply(a.tracer.Apply)
			test(t, a)
		})
	}
}

func (a *applied) apply(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	obj := applytest.Object(t, text)
	if err := apply.Apply(t.Context(), a.Cluster, []*unstructured.Unstructured{obj}); err != nil {
		t.Fatal(err)
	}
	return a.live(t, obj)
}

func (a *applied) live(t *testing.T, obj *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	live := applytest.Live(obj)
	if err := a.Client().Get(t.Context(), client.ObjectKeyFromObject(obj), live); err != nil {
		t.Fatal(err)
	}
	return live
}

// spans checks the number of recorded spans, and that the last one is the context of an object.
func (a *applied) spans(t *testing.T, want int, live *unstructured.Unstructured) {
	t.Helper()
	traces := tracetree.FromOTLP(a.tracer.Traces())
	if len(traces) != want {
		t.Fatalf("%d traces, want %d", len(traces), want)
	}
	for _, found := range traces {
		span := found.Spans()[0]
		if live.GetAnnotations()[traceparent] == "00-"+found.ID+"-"+span.SpanID+"-01" {
			for key, value := range map[string]string{
				"operator.object.uid": string(live.GetUID()), "operator.write.resource_version": live.GetResourceVersion(), "operator.object.name": live.GetName(),
			} {
				if span.Attributes[key] != value {
					t.Errorf("attribute %s = %v, want %s", key, span.Attributes[key], value)
				}
			}
			if span.Name != "apply "+live.GetKind() || span.Service != "sandbox" {
				t.Errorf("span %q of service %q, want apply %s of sandbox", span.Name, span.Service, live.GetKind())
			}
			return
		}
	}
	t.Errorf("no span for the context %q of %s", live.GetAnnotations()[traceparent], live.GetName())
}

const deployment = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: NAME, namespace: default}, spec: {replicas: 1, paused: PAUSED,
  selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: {containers: [{name: c, image: IMAGE}]}}}}`

func deploymentOf(name, paused, image string) string {
	return strings.NewReplacer("NAME", name, "PAUSED", paused, "IMAGE", image).Replace(deployment)
}

func testUnchanged(t *testing.T, a *applied) {
	first := a.apply(t, deploymentOf("unchanged", "true", "a"))
	a.spans(t, 1, first)
	again := a.apply(t, deploymentOf("unchanged", "true", "a"))
	if first.GetResourceVersion() != again.GetResourceVersion() {
		t.Errorf("resourceVersion of an unchanged object = %s, want %s", again.GetResourceVersion(), first.GetResourceVersion())
	}
	a.spans(t, 1, again)
	changed := a.apply(t, deploymentOf("unchanged", "true", "b"))
	if first.GetAnnotations()[traceparent] == changed.GetAnnotations()[traceparent] {
		t.Error("a changed object has the context of the change before")
	}
	if got := changed.GetAnnotations()["tracing.k8s.io/origin"]; !strings.Contains(got, "-1-") {
		t.Errorf("origin %q, want the generation 1 before the change", got)
	}
	a.spans(t, 2, changed)
}

// The API server omits the value false, so the live object never has all values.
func testZeroValue(t *testing.T, a *applied) {
	first := a.apply(t, deploymentOf("zero", "false", "a"))
	again := a.apply(t, deploymentOf("zero", "false", "a"))
	if first.GetResourceVersion() != again.GetResourceVersion() || first.GetGeneration() != again.GetGeneration() {
		t.Errorf("an unchanged object was written:\n%v\n%v", first, again)
	}
	a.spans(t, 1, again)
}

func testDrift(t *testing.T, a *applied) {
	first := a.apply(t, deploymentOf("drift", "false", "a"))
	edited := first.DeepCopy()
	if err := unstructured.SetNestedField(edited.Object, int64(3), "spec", "replicas"); err != nil {
		t.Fatal(err)
	}
	if err := a.Client().Update(t.Context(), edited); err != nil {
		t.Fatal(err)
	}
	repaired := a.apply(t, deploymentOf("drift", "false", "a"))
	if first.GetAnnotations()[traceparent] == repaired.GetAnnotations()[traceparent] {
		t.Error("a repaired object has the context of the change before")
	}
	a.spans(t, 2, repaired)
}

func testOwnContext(t *testing.T, a *applied) {
	const own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	live := a.apply(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: own, namespace: default, annotations: {tracing.k8s.io/traceparent: `+own+`}}}`)
	if got := live.GetAnnotations()[traceparent]; got != own {
		t.Errorf("context %q, want the user's", got)
	}
	if n := a.tracer.Traces().SpanCount(); n != 0 {
		t.Errorf("%d spans, want none", n)
	}
}

func testPolicy(t *testing.T, a *applied) {
	for _, text := range []string{`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: annotations}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}]}
  validations: [{expression: "!object.metadata.name.startsWith('strict') || !object.metadata.annotations.exists(a, a.startsWith('tracing'))", message: unknown annotation}]
`, `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: annotations}
spec: {policyName: annotations, validationActions: [Deny]}
`} {
		if err := a.Client().Create(t.Context(), applytest.Object(t, text)); err != nil {
			t.Fatal(err)
		}
	}
	probe := applytest.Object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: strict-probe, namespace: default, annotations: {tracing: a}}}`)
	applytest.Eventually(t, func(ctx context.Context) error {
		if err := a.Client().Create(ctx, probe.DeepCopy(), client.DryRunAll); err == nil {
			return errors.New("the policy is not in force yet")
		}
		return nil
	})
	for _, value := range []string{"a", "a", "b"} {
		live := a.apply(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: strict, namespace: default}, data: {key: `+value+`}}`)
		if got := live.GetAnnotations()[traceparent]; got != "" {
			t.Errorf("context %q, want none", got)
		}
	}
	if len(a.refused) != 2 || a.refused[0] != "ConfigMap default/strict" || a.tracer.Traces().SpanCount() != 0 {
		t.Errorf("refused %q and %d spans, want the object once for each change and no span", a.refused, a.tracer.Traces().SpanCount())
	}
	// The error is the one without a context if the object is refused in any case.
	bad := applytest.Object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: strict-bad, namespace: default, annotations: {tracing: a}}}`)
	if err := apply.Apply(t.Context(), a.Cluster, []*unstructured.Unstructured{bad}); err == nil || !strings.Contains(err.Error(), "unknown annotation") {
		t.Errorf("Apply(an object that is refused) = %v, want the policy's message", err)
	}
}

// Without a hash the API server decides whether an object changes.
func testWithoutHash(t *testing.T, a *applied) {
	a.tracer.Manager, a.tracer.Unchanged = "other", ""
	send := func(ctx context.Context, obj *unstructured.Unstructured, options ...client.ApplyOption) error {
		return a.Client().Apply(ctx, client.ApplyConfigurationFromUnstructured(obj), append(options, client.FieldOwner("other"), client.ForceOwnership)...)
	}
	var live *unstructured.Unstructured
	for i, value := range []string{"a", "a", "b", "b"} {
		obj := applytest.Object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: hashless, namespace: default}, data: {key: `+value+`}}`)
		if err := a.tracer.Apply(t.Context(), live, obj.DeepCopy(), send); err != nil {
			t.Fatal(err)
		}
		before := live
		live = a.live(t, obj)
		if written := before == nil || before.GetResourceVersion() != live.GetResourceVersion(); written != (i%2 == 0) {
			t.Errorf("apply %d wrote = %v, want %v", i, written, i%2 == 0)
		}
		a.spans(t, i/2+1, live)
	}
}

func testHeaderOnly(t *testing.T, a *applied) {
	a.tracer.HeaderOnly = true
	var sent []trace.SpanContext
	a.OnApply(func(ctx context.Context, live, obj *unstructured.Unstructured, send applytrace.Send) error {
		return a.tracer.Apply(ctx, live, obj, func(ctx context.Context, obj *unstructured.Unstructured, options ...client.ApplyOption) error {
			sent = append(sent, trace.SpanContextFromContext(ctx))
			return send(ctx, obj, options...)
		})
	})
	live := a.apply(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: header, namespace: default}}`)
	if got := live.GetAnnotations()[traceparent]; got != "" {
		t.Errorf("context %q, want none on the object", got)
	}
	traces := tracetree.FromOTLP(a.tracer.Traces())
	if len(sent) != 1 || len(traces) != 1 || traces[0].ID != sent[0].TraceID().String() {
		t.Errorf("requests with contexts %v, want the span's", sent)
	}
}
