package spantree_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// shop returns a trace of two services.
func shop() []spantree.Span {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return []spantree.Span{
		{TraceID: "4bf9", SpanID: "01", Name: "POST /orders", Kind: spantree.KindServer, Service: "shop", Start: start, End: start.Add(80 * time.Millisecond),
			Attributes: map[string]any{"http.response.status_code": int64(201)}},
		{TraceID: "4bf9", SpanID: "02", ParentSpanID: "01", Name: "INSERT orders", Kind: spantree.KindClient, Service: "shop",
			Start: start.Add(10 * time.Millisecond), End: start.Add(40 * time.Millisecond)},
		{TraceID: "4bf9", SpanID: "03", ParentSpanID: "01", Name: "publish order", Kind: spantree.KindProducer, Service: "shop",
			Start: start.Add(50 * time.Millisecond), End: start.Add(60 * time.Millisecond)},
		{TraceID: "4bf9", SpanID: "04", ParentSpanID: "03", Name: "send mail", Kind: spantree.KindConsumer, Service: "mail",
			Start: start.Add(90 * time.Millisecond), End: start.Add(900 * time.Millisecond), Events: []spantree.Event{{Name: "retry"}}},
	}
}

func ExampleParse() {
	want, err := spantree.Parse("order.tree", `
(budget spans<=6 errors=0 duration<1s)
POST /orders [SERVER service=shop http.response.status_code=201 duration<100ms]
  {1,3} INSERT orders [CLIENT]
  publish order [PRODUCER]
    send mail [CONSUMER service=mail event=retry]
`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(spantree.Match(want, spantree.Build(shop())).OK())
	// Output: true
}

func ExampleResult_Explain() {
	want, err := spantree.Parse("order.tree", `
POST /orders [SERVER service=shop]
  INSERT orders [CLIENT duration<20ms]
  send mail [service=mail]
`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(spantree.Match(want, spantree.Build(shop())).Explain())
	// Output:
	// 3 differences:
	//   ~ different: INSERT orders [CLIENT duration<20ms] (line 3) span 02
	//       duration is 30ms, want duration<20ms
	//   > moved: send mail [service=mail] (line 4) span 04
	//       want it below POST /orders, found below publish order
	//   + extra: publish order span 03
	//       found below POST /orders
	//
	//   expected                               |   actual
	//   POST /orders [SERVER service=shop]     |   POST /orders [SERVER service=shop]
	// ~   INSERT orders [CLIENT duration<20ms] | ~   INSERT orders [CLIENT duration=30ms]
	// >   send mail [service=mail]             |
	//                                          | +   publish order [PRODUCER]
	//                                          | >     send mail [CONSUMER service=mail]
}

func ExampleRecord() {
	tree, err := spantree.Record(spantree.Build(shop()), spantree.RecordOptions{
		Attributes: []spantree.Rule{{Pattern: "http.*", Keep: spantree.KeepValue}},
		Events:     []string{"*"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(tree)
	// Output:
	// POST /orders [SERVER service=shop http.response.status_code=201]
	//   INSERT orders [CLIENT]
	//   publish order [PRODUCER]
	//     send mail [CONSUMER service=mail event=retry]
}

func ExampleUpdate() {
	text := `# What an order does.
POST /orders [SERVER http.response.status_code=~20.]  # any success
  # There was another statement.
  UPDATE stock [CLIENT]
  INSERT orders [INTERNAL duration<1s]  # quick
`
	updated, err := spantree.Update("order.tree", text, spantree.Build(shop()), spantree.RecordOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(updated)
	// Output:
	// # What an order does.
	// POST /orders [SERVER http.response.status_code=~20.]  # any success
	//   INSERT orders [CLIENT duration<1s]  # quick
	//   publish order [PRODUCER]
	//     send mail [CONSUMER service=mail]
}

// In a test, t is the *testing.T and update is a flag of the test binary.
func ExampleGolden_Check() {
	var t spantree.TB = &recorder{}
	update := true

	folder, err := os.MkdirTemp("", "golden")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	golden := spantree.Golden{
		Path:    filepath.Join(folder, "order.tree"),
		Options: spantree.RecordOptions{Attributes: []spantree.Rule{{Pattern: "http.*", Keep: spantree.KeepValue}}, Variables: map[string]string{"STATUS": "201"}},
	}
	fmt.Println(golden.Check(t, spantree.Build(shop()), update, spantree.ExplainOptions{}))
	text, err := os.ReadFile(golden.Path)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(text))
	// Output:
	// true
	// POST /orders [SERVER service=shop http.response.status_code=$STATUS]
	//   INSERT orders [CLIENT]
	//   publish order [PRODUCER]
	//     send mail [CONSUMER service=mail]
}

func ExampleBudget_Check() {
	budget, err := spantree.ParseBudget("sandbox.yaml", 1, "service=shop spans<=2 errors=0 duration<50ms")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range budget.Check(spantree.Build(shop())) {
		fmt.Println(e)
	}
	// Output:
	// spans is 3, want spans<=2
	// duration is 80ms, want duration<50ms
}
