// Package goflags checks flags of go build that come with a project. Some flags run any program
// (-toolexec, -ldflags=-extld), replace sources (-overlay) or write any file (-o, -gcflags=-o). A
// flag that is not in the list of this package is refused.
package goflags

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// switches are the flags without a value, or with the value true or false.
var switches = []string{"a", "cover", "race", "trimpath", "v", "x"}

// values are the flags with a value, and the values that they may have.
var values = map[string]func(string) error{
	"buildmode": matches(`default|exe|pie`),
	"buildvcs":  matches(`false`), // Otherwise Go runs git, which runs programs that the configuration of the repository names.
	"covermode": matches(`set|count|atomic`),
	"coverpkg":  matches(`[\w./,~-]*`),
	"gcflags":   tool("N", "l", "m", "B", "C", "S", "e"),
	"ldflags":   tool("s", "w", "X", "v", "buildid", "checklinkname", "compressdwarf"),
	"mod":       matches(`mod|readonly|vendor`),
	"modfile":   inModule,
	"p":         matches(`\d+`),
	"pgo":       matches(`auto|off`),
	"tags":      matches(`[\w., -]*`),
}

// Check returns an error unless a flag has the form -NAME or -NAME=VALUE and is safe to pass to go
// build, for a module that can have any content.
func Check(flag string) error {
	name, value, found := strings.Cut(strings.TrimPrefix(flag, "-"), "=")
	name = strings.TrimPrefix(name, "-")
	switch check := values[name]; {
	case flag == "" || flag[0] != '-':
		return fmt.Errorf("invalid flag %q: want a flag of go build with its value, for example -tags=NAME", flag)
	case slices.Contains(switches, name) && (!found || value == "true" || value == "false"):
		return nil
	case check != nil && !found:
		return fmt.Errorf("invalid flag %q: want -%s=VALUE", flag, name)
	case check != nil:
		if err := check(value); err != nil {
			return fmt.Errorf("flag %q is not allowed: %w", flag, err)
		}
		return nil
	}
	return fmt.Errorf("flag %q is not allowed, because a project must not choose what go build runs, reads or writes; set it in GOFLAGS if you trust it", flag)
}

func matches(pattern string) func(string) error {
	whole := regexp.MustCompile(`^(?:` + pattern + `)$`)
	return func(value string) error {
		if !whole.MatchString(value) {
			return fmt.Errorf("want a value that matches %s", pattern)
		}
		return nil
	}
}

// inModule accepts files in the folder of the module.
func inModule(value string) error {
	if !filepath.IsLocal(value) {
		return errors.New("want a file in the module")
	}
	return nil
}

// tool accepts the flags of a compiler or linker, which can follow a pattern of packages.
func tool(names ...string) func(string) error {
	return func(value string) error {
		if before, after, found := strings.Cut(value, "="); found && !strings.ContainsAny(before, " \t\r\n'\"") && !strings.HasPrefix(before, "-") {
			value = after
		}
		words, err := split(value)
		if err != nil {
			return err
		}
		for i := 0; i < len(words); i++ {
			name, _, joined := strings.Cut(words[i], "=")
			bare := strings.TrimPrefix(strings.TrimPrefix(name, "-"), "-")
			if bare == name || !slices.Contains(names, bare) {
				return fmt.Errorf("%q is not one of -%s", words[i], strings.Join(names, ", -"))
			}
			if bare == "X" && !joined {
				i++ // The next word is its value.
			}
		}
		return nil
	}
}

// split splits words at blanks, as the Go command does: a word can be in quotes.
func split(text string) (words []string, err error) {
	for text = strings.TrimLeft(text, " \t\r\n"); text != ""; text = strings.TrimLeft(text, " \t\r\n") {
		quote, blanks := text[0], " \t\r\n"
		if quote == '\'' || quote == '"' {
			text, blanks = text[1:], string(quote)
		}
		end := strings.IndexAny(text, blanks)
		if end < 0 && len(blanks) == 1 {
			return nil, errors.New("unterminated quote")
		}
		if end < 0 {
			end = len(text)
		}
		words = append(words, text[:end])
		text = text[min(end+1, len(text)):]
	}
	return words, nil
}
