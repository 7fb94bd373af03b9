// Package reference finds and expands references to variables in the arguments of a container, as
// Kubernetes does.
package reference

import (
	"regexp"
	"strings"
)

var pattern = regexp.MustCompile(`\$?\$\(([^)]*)\)`)

// Names returns the names in $(NAME) references. $$(NAME) is not a reference.
func Names(text string) (names []string) {
	for _, match := range pattern.FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(match[0], "$$") {
			names = append(names, match[1])
		}
	}
	return names
}

// Expand replaces $(NAME) with the value of the variable. Unknown names remain, and $$ becomes $.
func Expand(text string, values map[string]string) string {
	return pattern.ReplaceAllStringFunc(text, func(match string) string {
		if strings.HasPrefix(match, "$$") {
			return match[1:]
		}
		if value, ok := values[match[2:len(match)-1]]; ok {
			return value
		}
		return match
	})
}
