package harness

import (
	"os"

	"golang.org/x/term"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// explainOptions returns the options for differences on the tests' standard output: with colours
// and the width of the terminal if it is one. `go test` with packages uses a pipe. FORCE_COLOR or
// CLICOLOR_FORCE with any value except 0 enables colours for a pipe, too, and NO_COLOR disables
// them (no-color.org, bixense.com/clicolors).
func explainOptions(getenv func(string) string, out *os.File) spantree.ExplainOptions {
	var options spantree.ExplainOptions
	terminal := term.IsTerminal(int(out.Fd()))
	if width, _, err := term.GetSize(int(out.Fd())); terminal && err == nil {
		options.Width = width
	}
	forced := func(name string) bool { value := getenv(name); return value != "" && value != "0" }
	options.Color = forced("FORCE_COLOR") || forced("CLICOLOR_FORCE") || terminal && getenv("TERM") != "dumb"
	if getenv("NO_COLOR") != "" {
		options.Color = false
	}
	return options
}
