package show

import (
	"github.com/spf13/pflag"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/traces"
	"github.com/operator-tracing/sandbox/sandbox/view"
)

// drawOptions are the flags of trace that select what is drawn.
type drawOptions struct{ only, highlight string }

func (o *drawOptions) bind(flags *pflag.FlagSet) {
	flags.StringVar(&o.only, "only", "", "selection of spans, with their parents: path (the critical path), failures (also conflicts), or writes (default all spans)")
	flags.StringVar(&o.highlight, "highlight", "", "with --output=svg: highlighted part of the picture, path (the critical path)")
}

func (o *drawOptions) check() error {
	switch {
	case o.only != "" && o.only != view.OnlyPath && o.only != view.OnlyFailures && o.only != view.OnlyWrites:
		return command.Usagef("--only=%s: use path, failures or writes", o.only)
	case o.highlight != "" && o.highlight != "path":
		return command.Usagef("--highlight=%s: use path", o.highlight)
	}
	return nil
}

// form returns the form of a trace of an object.
func (o *drawOptions) form(title string, object traces.Object) form {
	return form{title: title, object: objectOf(object), only: o.only, highlight: o.highlight == "path"}
}
