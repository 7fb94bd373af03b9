package command

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/operator-tracing/sandbox/config/settings"
)

// Rule says with which other options an option has an effect. Options are named without dashes and
// match if they are set, or with a value: output=svg, or check=*.yaml for the end of a value.
type Rule struct {
	Flag string
	// Needs are options of which at least one must match; any if empty.
	Needs []string
	// Excludes are options of which none may match.
	Excludes []string
}

// CheckRules returns a usage error for an option of the command line that would have no effect. It
// ignores options from the environment and from files, which are for several commands. The argument
// origins has these.
func CheckRules(flags *pflag.FlagSet, origins settings.Origins, rules []Rule) error {
	matches := func(option string) bool { return matches(flags, option) }
	for _, r := range rules {
		f := flags.Lookup(r.Flag)
		if !f.Changed || origins[r.Flag] != "" || f.Value.Type() == "bool" && f.Value.String() == f.DefValue {
			continue
		}
		if i := slices.IndexFunc(r.Excludes, matches); i >= 0 {
			name, value, _ := strings.Cut(r.Excludes[i], "=")
			if value != "" {
				name += "=" + flags.Lookup(name).Value.String()
			}
			return Usagef("--%s can't be combined with --%s", r.Flag, name)
		}
		if len(r.Needs) > 0 && !slices.ContainsFunc(r.Needs, matches) {
			return Usagef("--%s needs %s", r.Flag, OneOf(dashed(r.Needs)))
		}
	}
	return nil
}

// matches reports whether an option is set, or has a value.
func matches(flags *pflag.FlagSet, option string) bool {
	name, want, valued := strings.Cut(option, "=")
	f := flags.Lookup(name)
	got := f.Value.String()
	if !valued {
		return got != f.DefValue
	}
	if end, found := strings.CutPrefix(want, "*"); found {
		return strings.HasSuffix(strings.ToLower(got), end)
	}
	return got == want
}

func dashed(options []string) []string {
	out := make([]string, len(options))
	for i, option := range options {
		out[i] = "--" + option
	}
	return out
}
