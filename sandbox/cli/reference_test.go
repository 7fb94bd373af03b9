package cli

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

var updateReference = flag.Bool("update-reference", false, "rewrite docs/commands.md")

const reference = "../../docs/commands.md"

// TestCommandsDocument checks docs/commands.md against the commands and their flags. The document is written
// here and not by cobra/doc, which would add a converter of Markdown to man pages to the requirements of the
// module.
func TestCommandsDocument(t *testing.T) {
	root, _ := newRoot(Plan{}, os.Stderr)
	var b strings.Builder
	b.WriteString("# Commands\n\nThe commands of the program `sandbox`. TestCommandsDocument generates this file from their help; do not edit it.\n" +
		"`sandbox completion --help` describes the completion of shells.\n\n")
	describe(&b, root)
	text := b.String()
	if *updateReference {
		if err := os.WriteFile(reference, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	committed, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(committed), text); diff != "" {
		t.Errorf("docs/commands.md is out of date (-committed +generated); run `make generate`:\n%s", diff)
	}
}

// describe writes a section for a command and for each of its visible subcommands. The section of the root
// has the flags of all commands.
func describe(b *strings.Builder, cmd *cobra.Command) {
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	fmt.Fprintf(b, "## %s\n\n", cmd.CommandPath())
	block(b, text)
	if cmd.Runnable() && cmd.HasParent() {
		block(b, cmd.UseLine())
	}
	if cmd.HasExample() {
		b.WriteString("Examples:\n\n")
		block(b, cmd.Example)
	}
	flags := cmd.LocalFlags()
	if !cmd.HasParent() {
		b.WriteString("Flags of all commands:\n\n")
		flags = cmd.PersistentFlags()
	} else if flags.HasAvailableFlags() {
		b.WriteString("Flags:\n\n")
	}
	block(b, flags.FlagUsagesWrapped(120))
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "completion" && sub.Name() != "help" {
			describe(b, sub)
		}
	}
}

// block writes a code block, or nothing for an empty text.
func block(b *strings.Builder, text string) {
	if text = strings.Trim(text, "\n"); text != "" {
		fmt.Fprintf(b, "```text\n%s\n```\n\n", text)
	}
}
