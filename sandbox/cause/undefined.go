package cause

import (
	"fmt"
	"regexp"
)

// noMatch matches the error of clients about a custom kind that the API server does not serve, also
// in JSON.
var noMatch = regexp.MustCompile(`no matches for kind \\?"(\w+)\\?" in (?:group|versions?) \[?\\?"([\w-]+\.[\w.-]+)`)

// UndefinedKind returns the remedy if a text, for example a line of a log or the message of a
// condition, says that a custom kind is not defined. The result is empty for any other text.
func UndefinedKind(text string) string {
	match := noMatch.FindStringSubmatch(text)
	if match == nil {
		return ""
	}
	return fmt.Sprintf("the operator requires a kind that the cluster does not have: add the CustomResourceDefinition of %s.%s to operator.manifests in sandbox.yaml", match[1], match[2])
}
