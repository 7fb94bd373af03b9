package finding_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/explain/finding"
)

// An operator reads its cache right after a create, and tries to create the Deployment again.
func ExampleFind() {
	write := func(id, parent string, after time.Duration, events ...spantree.Event) spantree.Span {
		return spantree.Span{
			TraceID: "1", SpanID: id, ParentSpanID: parent, Name: "create Deployment", Kind: spantree.KindProducer, Start: time.Unix(0, int64(after)), Events: events,
			Attributes: map[string]any{"operator.object.kind": "Deployment", "k8s.namespace.name": "shop", "operator.object.name": "cart"},
		}
	}
	forest := spantree.Build([]spantree.Span{
		write("a", "", 0),
		write("b", "", time.Second, spantree.Event{Name: "already_exists"}),
		write("c", "", 2*time.Second, spantree.Event{Name: "already_exists"}),
	})
	for _, f := range finding.Find(forest, finding.Options{}) {
		fmt.Printf("%s: %s: %s\n%s\n", f.ID, f.Object, f.Summary, strings.SplitN(f.Explanation, "\n", 2)[0])
		for _, span := range f.Evidence {
			fmt.Println("span", span.SpanID, span.Name)
		}
	}
	// Output:
	// duplicate-create: Deployment shop/cart: 2 more creates of an object that the operator had created
	// The operator created an object that it had created before, because its cache did not have the object yet.
	// span a create Deployment
	// span b create Deployment
	// span c create Deployment
}
