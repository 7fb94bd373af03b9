package adoptiontest

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// adoption is an operator, the patch that adopts the library, and the expected result.
type adoption struct {
	project, patch, tree string
	main                 string // path of its main package
	arguments            func(*cluster) []string
	environment          []string
	users                []spantree.Span // the user's spans, whose trace the operator continues
	serve                func(*testing.T, *cluster, *process) client.Object
	check                func(*testing.T, []spantree.Span, *process, client.Object) // may be nil
}

var adoptions = []adoption{
	{project: "adopter", patch: "adopter.patch", tree: "adopter.tree", main: "./cmd", arguments: probes, serve: serveCache, check: wantGenerationsTrace},
	{project: "adopter", patch: "explicit.patch", tree: "adopter.tree", main: "./cmd", arguments: probes, serve: serveCache, check: wantGenerationsTrace},
	{project: "multigroup", patch: "multigroup.patch", tree: "multigroup.tree", main: "./cmd", arguments: webhooks, serve: serveStore, check: wantReport},
	{project: "handwired", patch: "handwired.patch", tree: "handwired.tree", main: ".", serve: serveServices},
	{project: "owntracing", patch: "owntracing.patch", tree: "owntracing.tree", main: ".", environment: []string{"OTEL_SERVICE_NAME=traced-operator"},
		users: []spantree.Span{{TraceID: ownTrace, SpanID: ownSpan, Name: "kubectl create"}}, serve: serveTraced, check: wantOwnTrace},
}

func probes(*cluster) []string { return []string{"--health-probe-bind-address=127.0.0.1:0"} }

func webhooks(c *cluster) []string {
	return []string{"--webhook-cert-path=" + c.webhooks.LocalServingCertDir, "--webhook-port=" + strconv.Itoa(c.webhooks.LocalServingPort)}
}

// TestAdoption builds each operator without changes, applies its patch, runs it for a user's
// changes, and compares its spans with the tree. All spans are sent when the process ends, because
// the batch processor waits an hour.
func TestAdoption(t *testing.T) {
	c := startCluster(t)
	for _, a := range adoptions {
		t.Run(strings.TrimSuffix(a.patch, ".patch"), func(t *testing.T) {
			p := copyProject(t, a.project)
			p.run(t, "go", "build", "./...") // before the patch
			p.apply(t, a.patch)
			spans := startCollector(t)
			environment := append(slices.Clip(a.environment),
				"KUBECONFIG="+c.kubeconfig,
				"OTEL_EXPORTER_OTLP_ENDPOINT=http://"+spans.address,
				"OTEL_BSP_SCHEDULE_DELAY=3600000",
			)
			var arguments []string
			if a.arguments != nil {
				arguments = a.arguments(c)
			}
			operator := start(t, p.build(t, a.main), arguments, environment)
			obj := a.serve(t, c, operator)
			eventually(t, "the operator has nothing to do", operator.idle)
			if early := spans.received(); len(early) > 0 {
				t.Fatalf("%d spans arrived before the operator ended, want none", len(early))
			}
			operator.terminate(t)

			// The objects of earlier operators did not change, so there are no spans for them.
			matchTree(t, a.tree, read(t, filepath.Join(testdata, a.tree)), append(spans.received(), a.users...), obj)
			if a.project == "adopter" {
				for _, shown := range blocks(t, "tree") {
					matchTree(t, "the document", shown, spans.received(), obj)
				}
			}
			if a.check != nil {
				a.check(t, spans.received(), operator, obj)
			}
		})
	}
}

// matchTree compares the spans with a tree.
func matchTree(t *testing.T, name, text string, spans []spantree.Span, obj client.Object) {
	t.Helper()
	filled := strings.NewReplacer("$NAMESPACE", obj.GetNamespace(), "$NAME", obj.GetName()).Replace(text)
	want, err := spantree.Parse(name, filled)
	if err != nil {
		t.Fatal(err)
	}
	if result := spantree.Match(want, spantree.Build(spans)); !result.OK() {
		t.Errorf("%s: %s", name, result.Explain())
	}
}
