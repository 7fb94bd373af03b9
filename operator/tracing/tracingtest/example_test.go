package tracingtest_test

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// takeOrder represents the code under test.
func takeOrder(tp trace.TracerProvider, number string) {
	tracer := tp.Tracer("shop")
	ctx, taken := tracer.Start(context.Background(), "take order", trace.WithSpanKind(trace.SpanKindServer))
	defer taken.End()
	_, stored := tracer.Start(ctx, "store order", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attribute.String("order.number", number)))
	stored.End()
}

func ExampleNewTracerProvider() {
	tp := tracingtest.NewTracerProvider()
	takeOrder(tp, "7")
	for _, s := range tp.Spans() {
		fmt.Println(s.Kind, s.Name)
	}
	// Output:
	// client store order
	// server take order
}

// printer replaces the *testing.T in this example.
type printer struct{}

func (printer) Helper() {}

func (printer) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }

func ExampleCheck() {
	var t printer
	tp := tracingtest.NewTracerProvider()
	takeOrder(tp, "7")
	fmt.Println(tracingtest.Check(t, tp, "shop", "testdata/order.tree", map[string]string{"NUMBER": "7"}))
	// Output: true
}
