// Package standin runs a command in the place of the operator of an embedded cluster: with the
// operator's arguments, credentials, certificates and ports. A second process, the keeper, starts the
// operator again if the first one is killed.
package standin

import (
	"path/filepath"
	"slices"
	"strings"
)

// Placeholder is the argument of a command that the operator's arguments replace.
const Placeholder = "{}"

// users are the variables that a command keeps from the user's shell: programs are found by them, and
// so are the caches of Go.
var users = []string{"HOME", "PATH"}

// Arguments returns a command with the arguments of the operator in it. They replace each
// [Placeholder]; without one, they are its last arguments. The debugger dlv passes only the arguments
// after "--" to the operator, so they follow one.
func Arguments(command, own []string) []string {
	if slices.Contains(command, Placeholder) {
		var all []string
		for _, argument := range command {
			if argument == Placeholder {
				all = append(all, own...)
			} else {
				all = append(all, argument)
			}
		}
		return all
	}
	all := slices.Clone(command)
	if filepath.Base(command[0]) == "dlv" && !slices.Contains(command, "--") {
		all = append(all, "--")
	}
	return append(all, own...)
}

// Environment returns the user's environment with the variables of the operator, which replace those
// of the same name except HOME and PATH.
func Environment(inherited, own []string) []string {
	name := func(variable string) string { before, _, _ := strings.Cut(variable, "="); return before }
	set := map[string]bool{}
	var all []string
	for _, variable := range own {
		if !slices.Contains(users, name(variable)) {
			set[name(variable)] = true
			all = append(all, variable)
		}
	}
	for _, variable := range inherited {
		if !set[name(variable)] {
			all = append(all, variable)
		}
	}
	return all
}
