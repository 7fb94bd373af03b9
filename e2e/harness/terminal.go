package harness

import (
	"os"

	"golang.org/x/term"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// explainOptions are for differences on the tests' standard output: in colour, and as
// wide as it is, where that is a terminal. `go test` of several packages, or of one by
// its path, puts a pipe there; FORCE_COLOR or CLICOLOR_FORCE, set to anything but 0,
// colours that, too, and NO_COLOR nothing (no-color.org, bixense.com/clicolors).
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
