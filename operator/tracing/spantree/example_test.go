package spantree_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// shop is a trace of two services, as any backend would give it.
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
POST /orders [SERVER service=shop http.response.status_code=201 duration<100ms]
  (ordered)
  + INSERT orders [CLIENT]
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

func ExampleExpect() {
	want := spantree.NewTree(
		spantree.Expect("POST /orders", spantree.Server, spantree.InService("shop"),
			spantree.Attr("http.response.status_code", 201), spantree.DurationBelow(100*time.Millisecond),
			spantree.Ordered, spantree.Children(
				spantree.Expect("INSERT orders", spantree.Client, spantree.OnceOrMore),
				spantree.Expect("publish order", spantree.Producer, spantree.Children(
					spantree.Expect("send mail", spantree.Consumer, spantree.InService("mail"), spantree.HasEvent("retry")),
				)),
			)),
	)
	fmt.Println(spantree.Match(want, spantree.Build(shop())).OK())
	fmt.Print(want)
	// Output:
	// true
	// POST /orders [SERVER service=shop http.response.status_code=201 duration<100ms]
	//   (ordered)
	//   + INSERT orders [CLIENT]
	//   publish order [PRODUCER]
	//     send mail [CONSUMER service=mail event=retry]
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
  # Another statement was here once.
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

// In a test, t is its *testing.T and update a flag of the test binary.
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

// What is written in Go is what is written as text.
func TestExpectEqualsParsed(t *testing.T) {
	want := parse(t, `(ordered)
admit Head [SERVER @first service=demo status=Ok k=1 !m n re=~a.* links=1 link=ab/cd link=ef !link duration<2s duration>=1ms]
  * reconcile Head [CONSUMER status=any]
  ? converge Head [INTERNAL link=@first link events=2 event=done event=failed(reason=~x|y code=5 !z) !event !event=other]
    read [CLIENT]
    write [PRODUCER]
  ...
+ other
...
`)
	got := spantree.NewTree(
		spantree.Expect("admit Head", spantree.Server, spantree.Labelled("first"), spantree.InService("demo"), spantree.WithStatus(spantree.StatusOK),
			spantree.Attr("k", 1), spantree.NoAttr("m"), spantree.HasAttr("n"), spantree.AttrMatches("re", "a.*"), spantree.LinkCount(1),
			spantree.LinkToTrace("ab", "cd"), spantree.LinkToTrace("ef", ""), spantree.NoLink(),
			spantree.DurationBelow(2*time.Second), spantree.DurationAtLeast(time.Millisecond),
			spantree.Children(spantree.Expect("reconcile Head", spantree.AnyNumber, spantree.Consumer, spantree.WithStatus(spantree.StatusAny))),
			spantree.OthersAllowed,
			spantree.Children(spantree.Expect("converge Head", spantree.Optional, spantree.Internal, spantree.LinkTo("first"), spantree.HasLink(),
				spantree.EventCount(2), spantree.HasEvent("done"),
				spantree.HasEvent("failed", spantree.AttrMatches("reason", "x|y"), spantree.Attr("code", int64(5)), spantree.NoAttr("z")),
				spantree.NoEvent(""), spantree.NoEvent("other"),
				spantree.Children(spantree.Expect("read", spantree.Client), spantree.Expect("write", spantree.Producer)))),
		),
		spantree.Expect("other", spantree.OnceOrMore),
	)
	got.Open, got.Ordered = true, true
	clearLines(want)
	if diff := diff(want, got); diff != "" {
		t.Errorf("tree (-parsed +of Go values):\n%s", diff)
	}
	if want.String() != got.String() {
		t.Errorf("printed\n%swant\n%s", got, want)
	}
}
