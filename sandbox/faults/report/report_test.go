package report

import (
	"encoding/xml"
	"fmt"
	"os"
	"strings"
	"testing"
)

// example is a report with one plan of each outcome.
func example() *Report {
	return &Report{
		Operator: "the reference operator", Sample: "Head default/head-sample", Seconds: 12.34,
		Clean: Clean{
			Writes: []string{"create childas a: 201", "patch heads/status a: 200"}, Events: []string{"ADDED heads a"},
			Mask: []string{"Head a:metadata.annotations.x"}, Trace: "apply Head a\n└─ create ChildA a",
		},
		Plans: []Plan{
			{Plan: "write:1,kill-after", Fault: "kill-after", Number: 1, Target: "create childas a", Outcome: Passed, Seconds: 2},
			{
				Plan: "write:2,kill-after", Fault: "kill-after", Number: 2, Target: "patch heads/status a", Outcome: Failed, Seconds: 3,
				Verdicts: []Verdict{
					{Kind: "objects differ", Object: "Head a", Path: "status.ready", Want: "true", Message: "objects differ after apply: Head a status.ready: got nothing, want true"},
					{Kind: "created more often", Message: "created more often: <b>childas</b>\x1b[31m"},
				},
				Exits: []string{"panic"}, Writes: "clean  this run", Trace: "apply Head a", Log: "a line\nanother line\n",
				Repeat: "sandbox faults run --only=write:2,kill-after",
			},
			{Plan: "trigger:1,watch-cut", Fault: "watch-cut", Number: 1, Event: true, Target: "ADDED heads a", Outcome: NotReached, Seconds: 2},
		},
		Pruned:  []Pruned{{Plan: "trigger:2,watch-cut", Reason: "nothing depends on it"}},
		Skipped: []string{"write:1,unavailable"},
	}
}

func ExampleReport_WriteText() {
	if err := example().WriteText(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// FAILED write:2,kill-after: patch heads/status a
	//   objects differ after apply: Head a status.ready: got nothing, want true
	//     without the fault: true
	//     with the fault:    (absent)
	//   created more often: <b>childas</b>\x1b[31m
	//   the operator exited without a kill: panic
	//
	//   Writes without and with the fault:
	//     clean  this run
	//
	//   Trace without the fault:
	//     apply Head a
	//     └─ create ChildA a
	//
	//   Trace with the fault:
	//     apply Head a
	//
	//   The end of the operator's log:
	//     a line
	//     another line
	//
	//   Repeat it: sandbox faults run --only=write:2,kill-after
	//
	// FAULT       PLANS  PASSED  FAILED  NOT REACHED
	// kill-after      2       1       1            0
	// watch-cut       1       0       0            1
	// all             3       1       1            1
	//
	// Head default/head-sample: 2 of 2 writes and 0 of 1 events hit by a fault, in 12.3s
	// pruned plans: 1, which can find nothing more; --list names the reasons, --full runs them
	// plans not run: 1, since the budget was used up: write:1,unavailable
}

func ExampleReport_WriteList() {
	if err := example().WriteList(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// write:1,kill-after   create childas a
	// write:2,kill-after   patch heads/status a
	// trigger:1,watch-cut  ADDED heads a
	// trigger:2,watch-cut  pruned: nothing depends on it
	//
	// Not compared, since they differ between runs without a fault:
	//   Head a:metadata.annotations.x
}

func TestProblem(t *testing.T) {
	t.Parallel()
	r := &Report{Sample: "Head a", Problem: "not deterministic, without any fault", Clean: Clean{Verdicts: []Verdict{{Message: "not deterministic: 3 creates, then 2"}}, Log: "a line"}}
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	const want = "No plan was run: not deterministic, without any fault\n  not deterministic: 3 creates, then 2\n\n  The end of the operator's log:\n    a line\n\n"
	if b.String() != want || r.OK() {
		t.Errorf("WriteText wrote %q, OK %t; want %q and false", b.String(), r.OK(), want)
	}
}

func TestJUnit(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := example().WriteJUnit(&b); err != nil {
		t.Fatal(err)
	}
	var s suite
	if err := xml.Unmarshal([]byte(b.String()), &s); err != nil {
		t.Fatalf("the report is not XML: %v\n%s", err, b.String())
	}
	if s.Tests != 5 || s.Failures != 1 || s.Skipped != 2 || len(s.Cases) != 5 {
		t.Errorf("%d tests, %d failures, %d skipped; want 5, 1 and 2", s.Tests, s.Failures, s.Skipped)
	}
	if f := s.Cases[2].Failure; s.Cases[2].Name != "write:2,kill-after" || f == nil || !strings.Contains(f.Text, "Repeat it: sandbox faults run") {
		t.Errorf("the second plan is %+v, want a failure with its text", s.Cases[2])
	}
}

func TestHTML(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := example().WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<title>Fault runs of Head default/head-sample</title>", "2 of 2 writes and 0 of 1 events", "&lt;b&gt;childas", "└─ create ChildA a", "trigger:2,watch-cut"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(b.String(), "<b>") || strings.Contains(b.String(), "\x1b") {
		t.Error("the page has text that is not escaped")
	}
}
