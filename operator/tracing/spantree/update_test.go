package spantree_test

import (
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// written is a file that a person wrote.
const written = `# What happens.

# The root.
admit Head [SERVER   name=$HEAD uid=~u-.+]   # by the webhook
  # First the child.
  create ChildA [PRODUCER generation=1 name=$HEAD-child-a]  # once
    ? never [CLIENT]
      # not seen yet
      at all
  # Passes.
  + reconcile Head

    update_status
  ? converge Head [kind="Head"]  # at most once
# The end.
`

// asWritten are spans that match the file.
const asWritten = `admit Head [SERVER name=test uid=u-1]
  create ChildA [PRODUCER generation=1 name=test-child-a]
  reconcile Head
    update_status
  reconcile Head
    update_status
  converge Head [kind=Head]
`

func TestUpdate(t *testing.T) {
	everything := []spantree.Rule{{Pattern: "id", Keep: spantree.KeepKey}, {Pattern: "*", Keep: spantree.KeepValue}}
	tests := map[string]struct {
		// spans changes asWritten, and want changes the file.
		spans, want *strings.Replacer
	}{
		"nothing": {strings.NewReplacer(), strings.NewReplacer()},
		"values": {
			strings.NewReplacer("generation=1", "generation=2"),
			strings.NewReplacer("create ChildA [PRODUCER generation=1 name=$HEAD-child-a]  # once", "create ChildA [PRODUCER generation=2 name=$HEAD-child-a]  # once"),
		},
		"a value with a variable in it": {
			strings.NewReplacer("kind=Head", "kind=test"),
			strings.NewReplacer(`kind="Head"`, "kind=$HEAD"),
		},
		"an expression that no longer matches": {
			strings.NewReplacer("uid=u-1", "uid=1"),
			strings.NewReplacer("[SERVER   name=$HEAD uid=~u-.+]   #", "[SERVER name=$HEAD uid=1]   #"),
		},
		"an attribute that is gone": {
			strings.NewReplacer(" generation=1", ""),
			strings.NewReplacer(" generation=1", ""),
		},
		"kind, status and name": {
			strings.NewReplacer("admit Head [SERVER", "admit Deployment [CONSUMER status=Error"),
			strings.NewReplacer("admit Head [SERVER   name=$HEAD uid=~u-.+]   #", "admit Deployment [CONSUMER status=Error name=$HEAD uid=~u-.+]   #"),
		},
		"a lost span is removed with its comment": {
			strings.NewReplacer("  create ChildA [PRODUCER generation=1 name=test-child-a]\n", ""),
			strings.NewReplacer("  # First the child.\n  create ChildA [PRODUCER generation=1 name=$HEAD-child-a]  # once\n    ? never [CLIENT]\n      # not seen yet\n      at all\n", ""),
		},
		"new spans": {
			strings.NewReplacer("  reconcile Head\n    update_status\n  converge", "  delete ChildB [CLIENT id=7 name=test-b]\n    audit\n  reconcile Head\n    update_status\n  converge"),
			strings.NewReplacer("    update_status\n  ?", "    update_status\n  delete ChildB [CLIENT id name=$HEAD-b]\n    audit\n  ?"),
		},
		"a new root": {
			strings.NewReplacer("  converge Head [kind=Head]\n", "  converge Head [kind=Head]\nreconcile Head [service=other]\n"),
			strings.NewReplacer("  # at most once\n", "  # at most once\nreconcile Head\n"),
		},
		"a repeated line with another child in one span": {
			strings.NewReplacer("    update_status\n  converge", "    update_status\n    create Job\n    create Job\n  converge"),
			strings.NewReplacer("    update_status\n", "    update_status\n    * create Job\n"),
		},
		"a repeated line with a missing child in one span": {
			strings.NewReplacer("    update_status\n  converge", "  converge"),
			strings.NewReplacer("\n    update_status\n", "\n    ? update_status\n"),
		},
		"a twin of a line": {
			strings.NewReplacer("  reconcile Head\n    update_status\n  reconcile", "  create ChildA [PRODUCER generation=1 name=test-child-a]\n  reconcile Head\n    update_status\n  reconcile"),
			strings.NewReplacer("      at all\n", "      at all\n  create ChildA [PRODUCER generation=1 name=$HEAD-child-a]\n"),
		},
	}
	for name, test := range tests {
		for _, end := range []string{"\n", "\r\n"} {
			t.Run(name, func(t *testing.T) {
				options := spantree.RecordOptions{Variables: map[string]string{"HEAD": "test"}, Attributes: everything}
				old := strings.ReplaceAll(written, "\n", end)
				got := spantree.Build(spansOf(parse(t, test.spans.Replace(asWritten))))
				updated, err := spantree.Update("x.tree", old, got, options)
				if err != nil {
					t.Fatal(err)
				}
				if diff := diff(strings.ReplaceAll(test.want.Replace(written), "\n", end), updated); diff != "" {
					t.Errorf("file (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestUpdateMoved tests that moved spans are recorded in their new position. The budget, bounds and
// "..." remain.
func TestUpdateMoved(t *testing.T) {
	old := "(budget spans<9)\na\n  b\n    c  # comment\n  {1,2} d\n  # others\n  ...\n"
	got := forest(t, "a\n  b\n  d\n    c")
	updated, err := spantree.Update("x.tree", old, got, spantree.RecordOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := "(budget spans<9)\na\n  b\n  {1,2} d\n    c\n  # others\n  ...\n"
	if diff := diff(want, updated); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
}

func TestUpdateWithoutLines(t *testing.T) {
	got := forest(t, "a\n  b")
	for name, test := range map[string][2]string{
		"nothing":            {"", "a\n  b\n"},
		"blanks":             {"\n  \n", "a\n  b\n"},
		"a comment":          {"# What happens.", "# What happens.\na\n  b\n"},
		"comments and lines": {"# What happens.\n\n# More.\n", "# What happens.\n\n# More.\na\n  b\n"},
		"all different":      {"# What happens.\n\nx\n  y\n", "# What happens.\n\na\n  b\n"},
		"nothing, a budget":  {"(budget spans<9)\nx\n  y\n", "(budget spans<9)\na\n  b\n"},
	} {
		updated, err := spantree.Update("x.tree", test[0], got, spantree.RecordOptions{})
		if err != nil || updated != test[1] {
			t.Errorf("%s: error %v, file %q, want %q", name, err, updated, test[1])
		}
	}
}

// TestUpdateConditions tests conditions on links and events that are no longer met.
func TestUpdateConditions(t *testing.T) {
	s := detailed()
	for old, want := range map[string]string{
		"!link":                          "link",
		"!event":                         "",
		"event=other":                    "",
		"!event=exception link":          "link",
		"!uid":                           "uid=u",
		"name=~b.* duration<2s":          "name=a duration<2s",
		`event=~Ready.*(reason=y) uid=u`: "uid=u",
	} {
		updated, err := spantree.Update("x.tree", "update ["+old+"]\n", spantree.Build(s), spantree.RecordOptions{
			Attributes: []spantree.Rule{{Pattern: "*", Keep: spantree.KeepValue}},
		})
		if want = strings.ReplaceAll("update ["+want+"]\n", " []", ""); err != nil || updated != want {
			t.Errorf("%s: error %v, file %q, want %q", old, err, updated, want)
		}
	}
}

func TestUpdateErrors(t *testing.T) {
	sound := forest(t, "a\n  b")
	tests := map[string]struct {
		text string
		got  *spantree.Forest
		want string
	}{
		"syntax":        {"a [", sound, "x.tree:1:4: missing ] at the end of the conditions"},
		"variable":      {"a\n  b [k=$X]", sound, "filling in x.tree: line 2: no value for the variable $X"},
		"bound on time": {"a\n  b [duration<1ms]", sound, "updating x.tree: line 2: b lasts 1s, want duration<1ms; edit the bound by hand"},
		"bounds":        {"a\n  {2,3} b", sound, "updating x.tree: line 2: b occurs 1 to 1 times, want {2,3}; edit the bounds by hand"},
		"budget":        {"(budget spans<2)\na\n  b", sound, "updating x.tree: line 1: spans is 2, want spans<2; a budget is changed by hand"},
		"no spans":      {"a", nil, "recording a forest without spans"},
		"orphan":        {"a", spantree.Build([]spantree.Span{span("1", "0f", "a", 0)}), "recording span a 1: its parent 0f is missing"},
	}
	for name, test := range tests {
		if updated, err := spantree.Update("x.tree", test.text, test.got, spantree.RecordOptions{}); err == nil || err.Error() != test.want || updated != "" {
			t.Errorf("%s: error %v, file %q, want %s", name, err, updated, test.want)
		}
	}
}
