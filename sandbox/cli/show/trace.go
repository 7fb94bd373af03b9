package show

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/cli/assess"
	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/cli/complete"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/traces"
)

type traceOptions struct {
	output, from, namespace, title, id string
	why                                bool
	draw                               drawOptions
	follow                             watchOptions
	judge                              assess.Options
}

func (o *traceOptions) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&o.output, "output", "o", "tree", "output format: tree, html (a page), svg (a picture), or json (OTLP JSON)")
	flags.StringVar(&o.from, "from", "", "`file` of OTLP JSON, instead of an object's trace")
	flags.StringVar(&o.id, "id", "", "`ID` of any trace in the sandbox's Jaeger, instead of an object's trace")
	flags.StringVarP(&o.namespace, "namespace", "n", "", "`namespace` of the object (default \"default\")")
	flags.StringVar(&o.title, "title", "", "title of a page or picture (default the object, or the trace ID)")
	flags.BoolVar(&o.why, "why", false, "explanation of the time until the object was ready, instead of the spans; with --output=json for programs, with svg the path in the picture")
	o.draw.bind(flags)
	o.follow.bind(cmd)
	o.judge.Bind(flags)
}

const traceExamples = `  go run ./sandbox trace
  go run ./sandbox trace head-sample
  go run ./sandbox trace memcached/sample -n team-a
  go run ./sandbox trace web --why
  go run ./sandbox trace web --only=failures
  go run ./sandbox trace web --watch
  go run ./sandbox trace web --watch --until-complete --watch-timeout=2m
  go run ./sandbox trace team-a/web -o json > trace.json
  go run ./sandbox trace head-sample -o html > trace.html
  go run ./sandbox trace --id=4bf92f3577b34da6a3ce929d0e0e4736
  go run ./sandbox trace --from=trace.json -o svg --title="Head web" > trace.svg
  go run ./sandbox trace memcached/sample --findings
  go run ./sandbox trace --from=trace.json --fail-on=any
  go run ./sandbox trace import trace.json`

const traceLong = `trace prints the spans of an object's current trace as a tree with a time axis. The current trace starts with the last change
of the object's spec. On a terminal the tree has the terminal's width; elsewhere each span is one line without colors.

If another process reacted to a write in that trace, for example a second operator whose object the first one updated, its own trace
is shown as part of the tree, below the span of the write. The row says "continued in trace ID". If another process started the
change of the object itself, the tree starts there.

The kind has one of the names that kubectl accepts: memcached, memcacheds, its short name, or memcacheds.cache.example.com. Without
a kind, the object has the kind of the sample (a Head unless sandbox.yaml names another), and the part before the slash can be its
namespace. Without a name, the object is the sample.

If there is no trace, for example because the object changed before the sandbox observed it, the trace is reconstructed from the
objects that are there, their managed fields and conditions, and Events. It then says so, and its times have a resolution of a second.

If the operator has tracing of its own, the trace is the first one after the object's last change with the object's name in an
attribute. With --id it prints any trace.

With -o html it prints a self-contained page with all details of the spans; with -o svg a picture for a README or a pull
request; with -o json OTLP JSON, which "sandbox trace import" and other tools can load. The JSON has the spans of all traces of
the tree as Jaeger has them, each with the ID of its own trace.

Above the tree is a summary of the time. Rows end with results, conflicts, attempts, conditions and causes; if there is no room, with
marks. Waits are rows of their own, and idle gaps of the time axis are shortened. --only selects spans. See docs/seeing.md.

With --why it prints instead, in at most 15 lines, why the object took so long to become ready: the critical path by controller and
reason, the chain of causes, and how many reconciles and writes there were. With -o json it prints that for programs, and with -o svg it
marks the path in the picture. A page always has it. See docs/why.md.

With --watch it follows the object until Ctrl-C. On a terminal it redraws the tree in place; elsewhere it prints each span once,
when it arrives. A change of the object starts its next trace, which is followed then.

With --from=FILE it prints a trace of a file of OTLP JSON instead (- for the standard input), and needs no sandbox. If the file
has several traces, the argument selects one by its ID or the first digits of the ID.

With --findings it prints typical defects of the operator that the trace shows, with the IDs of the spans that show them; see
docs/findings.md. With --fail-on it also exits with 3 if one of the named findings occurs.

If an object has the name of a subcommand, add its namespace or kind: default/import.`

// NewTrace returns the command `sandbox trace`.
func NewTrace(shared *command.Shared) *cobra.Command {
	var o traceOptions
	cmd := &cobra.Command{
		Use:     "trace [[KIND/|NAMESPACE/]NAME]",
		Short:   "Print the trace of an object",
		Long:    traceLong,
		Example: traceExamples,
		Args:    o.checkArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			write, err := traceWriter(o.output)
			if err != nil {
				return err
			}
			if err := o.check(cmd, shared); err != nil {
				return err
			}
			if o.follow.watch {
				return follow(cmd, shared, o, args)
			}
			trace, object, err := findTrace(cmd, shared, o, args)
			if err != nil {
				return err
			}
			if o.judge.Wanted() {
				return o.judge.Run(cmd.OutOrStdout(), trace, o.output, o.now())
			}
			title := o.title
			if title == "" && object.Name != "" {
				title = object.String()
			}
			if o.why {
				return writeWhy(cmd.OutOrStdout(), trace, objectOf(object), o.output, title)
			}
			return write(cmd.OutOrStdout(), trace, o.draw.form(title, object))
		},
	}
	o.bind(cmd)
	cmd.AddCommand(newImport(shared), assess.NewDiff(sandboxReader{shared}))
	complete.Traces(cmd, shared)
	return cmd
}

func (o *traceOptions) checkArgs(cmd *cobra.Command, args []string) error {
	switch {
	case o.id != "" && o.from == "":
		return command.ExactArgs(0, "no argument with --id")(cmd, args)
	case len(args) == 0 && o.namespace != "" && o.from == "":
		return command.Usagef("--namespace=%s: add the name of an object, or remove the flag to print the trace of the sample", o.namespace)
	case len(args) == 0:
		return nil
	}
	return command.ExactArgs(1, "at most one object")(cmd, args)
}

// rules say which options have an effect together. Options without a rule always have one.
func rules() []command.Rule {
	return append(assess.Rules(), []command.Rule{
		{Flag: "id", Excludes: []string{"from"}},
		{Flag: "namespace", Excludes: []string{"from", "id"}},
		{Flag: "watch", Excludes: []string{"from", "id", "output=html", "output=svg", "output=json"}},
		{Flag: "until-complete", Needs: []string{"watch"}},
		{Flag: "watch-timeout", Needs: []string{"watch"}},
		{Flag: "why", Excludes: []string{"watch", "findings", "fail-on", "check"}},
		{Flag: "only", Excludes: []string{"why", "watch", "findings", "fail-on", "check", "output=json"}},
		{Flag: "highlight", Needs: []string{"output=svg"}},
		{Flag: "title", Needs: []string{"output=html", "output=svg"}},
	}...)
}

// check returns a usage error for wrong values, and for options without an effect.
func (o *traceOptions) check(cmd *cobra.Command, shared *command.Shared) error {
	return cmp.Or(o.follow.check(), o.draw.check(), o.judge.Validate(o.output), command.CheckRules(cmd.Flags(), shared.Options.Origins, rules()))
}

// now returns the time of a live trace; zero for a file.
func (o *traceOptions) now() time.Time {
	if o.from != "" {
		return time.Time{}
	}
	return time.Now()
}

// follow prints the trace of an object until it is complete or the user interrupts it.
func follow(cmd *cobra.Command, shared *command.Shared, o traceOptions, args []string) error {
	run, object, err := findObject(cmd.Context(), shared, args, o.namespace)
	if err != nil {
		return err
	}
	return watchTrace(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), o.follow, func(ctx context.Context, show func(traces.Look) error) error {
		return run.Follow(ctx, object, show)
	})
}

// findObject returns the object of a running sandbox that the argument names; without an argument,
// the sample.
func findObject(ctx context.Context, shared *command.Shared, args []string, namespace string) (*lifecycle.Sandbox, traces.Object, error) {
	var reference traces.Reference
	for _, argument := range args {
		var err error
		if reference, err = traces.ParseReference(argument); err != nil {
			return nil, traces.Object{}, command.Usage(err)
		}
	}
	run, err := shared.Attach()
	if err != nil {
		return nil, traces.Object{}, err
	}
	if len(args) == 0 {
		object, err := run.Sample()
		return run, object, err
	}
	ctx, cancel := context.WithTimeout(ctx, command.LookTimeout)
	defer cancel()
	object, err := run.Find(ctx, reference, namespace)
	return run, object, err
}

// findTrace reads a trace from a file or from the sandbox, and returns its object, which is the
// zero value for a file or an ID.
func findTrace(cmd *cobra.Command, shared *command.Shared, o traceOptions, args []string) (trace tracetree.Trace, object traces.Object, err error) {
	if o.from != "" {
		trace, err = recordedTrace(cmd.InOrStdin(), o.from, strings.Join(args, ""))
		return trace, object, err
	}
	if o.id != "" {
		trace, err = sandboxReader{shared}.ID(cmd, o.id)
		return trace, object, err
	}
	run, object, err := findObject(cmd.Context(), shared, args, o.namespace)
	if err != nil {
		return trace, object, err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), command.LookTimeout)
	defer cancel()
	trace, err = run.Trace(ctx, object)
	return trace, object, err
}

// Sample waits until the sample's trace is complete, and prints it with Jaeger's addresses.
func Sample(ctx context.Context, run *lifecycle.Sandbox, out io.Writer) error {
	sample, err := run.Sample()
	if err != nil {
		return err
	}
	if !run.Asks() {
		_, err := fmt.Fprintf(out, "\n%s is ready. Its trace can't be shown: %v.\n", sample, provider.ErrNoQuery)
		return err
	}
	trace, err := run.WaitTrace(ctx, sample)
	switch {
	case errors.Is(err, tracetree.ErrNotFound):
		fmt.Fprintf(out, "\n%s is ready. There is no trace of it yet: the operator sends no spans about it. See docs/adopting.md to trace it.\n", sample)
	case err != nil:
		return err
	default:
		fmt.Fprintf(out, "\n%s, ", sample)
		p, err := run.OpenProject()
		if err != nil {
			return err
		}
		if err := errors.Join(writeTree(out, trace, form{brief: true}), writeSummary(out, trace, objectOf(sample)), assess.WriteBudget(out, p, trace)); err != nil {
			return err
		}
	}
	return addresses(ctx, run, out, sample, trace.ID)
}

// addresses prints how to reach the cluster and Jaeger. The trace ID can be empty.
func addresses(ctx context.Context, run *lifecycle.Sandbox, out io.Writer, sample traces.Object, traceID string) error {
	name, err := run.KubectlName(ctx, sample)
	if err != nil {
		return err
	}
	edit := hint.ShellWord(run.Dir.Kubeconfig()) + " edit " + name
	if run.Existing() {
		_, err := fmt.Fprintf(out, `
cluster       %s
kubeconfig    %s

Next: %s   # Jaeger's ports on this machine, until Ctrl-C
      create another %s, or change this one (kubectl --kubeconfig %s), then %s
`, run.Where(), run.Dir.Kubeconfig(), hint.Command("forward"), sample.Kind.Kind, edit, hint.Command("trace", "NAME"))
		return err
	}
	page := run.Addresses()[component.UI]
	if traceID != "" {
		page += "/trace/" + traceID
	}
	_, err = fmt.Fprintf(out, `
Jaeger        %s
query API     %s (gRPC)
OTLP          %s (gRPC), %s (HTTP)
kubeconfig    %s

Next: create another %s, or change this one (kubectl --kubeconfig %s), then %s
`, page, run.Addresses()[component.Query], run.Addresses()[component.OTLPGRPC], run.Addresses()[component.OTLPHTTP], run.Dir.Kubeconfig(),
		sample.Kind.Kind, edit, hint.Command("trace", "NAME"))
	return err
}
