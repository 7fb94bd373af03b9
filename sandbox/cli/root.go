package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/cli/assess"
	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/cli/faultcmd"
	"github.com/operator-tracing/sandbox/sandbox/cli/inspect"
	"github.com/operator-tracing/sandbox/sandbox/cli/runcmd"
	"github.com/operator-tracing/sandbox/sandbox/cli/show"
	"github.com/operator-tracing/sandbox/sandbox/companion"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/graph"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/kinds"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/suggest"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

// Plan lists the steps of the commands that create or change a sandbox.
type Plan struct {
	// Choice returns the first steps of `sandbox up`, which select the kind of cluster.
	Choice func(*lifecycle.Sandbox) []graph.Step
	// Steps returns the steps of `sandbox up` on the selected kind of cluster.
	Steps func(*lifecycle.Sandbox) []graph.Step
	// Fetches returns the steps of `sandbox build` and `sandbox bundle create`.
	Fetches func(*lifecycle.Sandbox) []graph.Step
	// Load returns the steps of `sandbox load operator`, optionally with a new sample.
	Load func(run *lifecycle.Sandbox, sample bool) []graph.Step
	// Sample returns the last steps of `sandbox reset`, if all components are ready.
	Sample func(*lifecycle.Sandbox) []graph.Step
}

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
	exitVerdict = 3
	// exitInterrupted is the code of shells for Ctrl-C. SIGTERM has it, too.
	exitInterrupted = 130
)

// Execute runs the command line and returns the exit code. It prints an error in one line on
// stderr.
func Execute(ctx context.Context, args []string, stdout io.Writer, stderr *os.File, plan Plan) int {
	root, shared := newRoot(plan, stderr)
	return run(ctx, root, shared, args, stdout, stderr)
}

// ExecutePlugin is Execute for the kubectl plugin `kubectl observe`, which needs no plan.
func ExecutePlugin(ctx context.Context, args []string, stdout io.Writer, stderr *os.File, _ Plan) int {
	defer hint.Plugin()()
	plugin, shared := newPlugin()
	return run(ctx, plugin, shared, args, stdout, stderr)
}

// Silence discards the log lines of client-go, which would break the output; errors are returned. The
// processes that the sandbox starts log them. Only main calls it, before anything logs.
func Silence(args []string) {
	if len(args) == 0 || args[0] != companion.Name && args[0] != companion.GateName {
		klog.SetLogger(logr.Discard())
	}
}

func run(ctx context.Context, root *cobra.Command, shared *command.Shared, args []string, stdout io.Writer, stderr *os.File) int {
	ctrllog.SetLogger(logr.Discard()) // Log lines of libraries would break the progress display; errors are returned.
	root.SetArgs(args)
	root.SetOut(ui.NewPrinter(stdout))
	root.SetErr(ui.NewPrinter(stderr))
	defer shared.Close()
	executed, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if code, ok := command.ExitCode(err); ok {
		return code
	}
	err = shared.Explain(err)
	interrupted := errors.Is(ctx.Err(), context.Canceled)
	if interrupted && errors.Is(err, context.Canceled) && !errors.Is(err, graph.ErrInterrupted) {
		err = fmt.Errorf("interrupted: %w", err)
	}
	root.PrintErrf("Error: %s\n", shared.Options.Origins.Explain(err))
	if _, ok := errors.AsType[*project.Error](err); ok {
		root.PrintErrln("See docs/sandbox-yaml.md.")
		return exitUsage
	}
	_, unknownKind := errors.AsType[*kinds.UnknownError](err)
	if _, ok := errors.AsType[*settings.Error](err); ok || unknownKind || command.IsUsage(err) {
		root.PrintErrf("See `%s%s --help`.\n", hint.Program(), strings.TrimPrefix(executed.CommandPath(), root.CommandPath()))
		return exitUsage
	}
	if command.IsVerdict(err) {
		return exitVerdict
	}
	if interrupted {
		return exitInterrupted
	}
	return exitFailure
}

func newRoot(plan Plan, stderr *os.File) (*cobra.Command, *command.Shared) {
	root := &cobra.Command{
		Use:   "sandbox",
		Short: "A Kubernetes cluster that shows the work of an operator as one trace",
		Long: `sandbox creates a Kubernetes cluster with ` + component.List(component.IsVersioned) + ` and the reference operator of this repository, applies a Head
object, and prints the trace of the operator's work. The cluster is a kind cluster, or runs as processes on this machine.

Options come from flags, then from the environment (for example SANDBOX_NAME for --name), then from the YAML file that
--config names. The keys of the file are the names of the flags.`,
		Example: `  go run ./sandbox up            # create it, and print the first trace
  go run ./sandbox trace NAME    # print the trace of any Head
  go run ./sandbox down          # delete it`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(flagError)
	shared := command.Bind(root)
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return shared.Fill(cmd) }
	root.AddCommand(newUp(plan, shared, stderr), newLoad(plan, shared, stderr), newInit(), newReset(plan, shared, stderr), newDown(shared, stderr),
		inspect.NewDoctor(shared), inspect.NewStatus(shared), show.NewTrace(shared), show.NewObserve(shared), inspect.NewObserver(shared), inspect.NewGate(shared), inspect.NewEnv(shared),
		assess.NewBench(shared, stderr), faultcmd.New(shared, stderr), inspect.NewForward(shared), inspect.NewLogs(shared), inspect.NewExport(shared, stderr), newStop(shared), newPrune(shared),
		runcmd.New(shared), runcmd.NewKeeper(shared),
		newBuild(plan, shared, stderr), newBundle(plan, shared, stderr),
		newKindConfig(shared, stderr), newAssets(shared, stderr), newManifests())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	complete(root)
	return root, shared
}

// newPlugin returns the command observe as the root of the kubectl plugin.
func newPlugin() (*cobra.Command, *command.Shared) {
	plugin, shared := show.NewObserve(nil), &command.Shared{}
	plugin.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: hint.Program()}
	plugin.Example = strings.ReplaceAll(plugin.Example, "go run ./sandbox "+plugin.Name(), hint.Program())
	plugin.Flags().String(settings.FileFlag, "", "YAML file with options; its keys are the names of flags")
	plugin.SilenceErrors, plugin.SilenceUsage = true, true
	plugin.SetFlagErrorFunc(flagError)
	plugin.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return shared.Fill(cmd) }
	return plugin, shared
}

// complete names this program in the examples as it was started, and makes wrong arguments and unknown
// command names usage errors: for most of the latter cobra prints the help and returns nil.
func complete(cmd *cobra.Command) {
	cmd.Example = strings.ReplaceAll(cmd.Example, "go run ./sandbox", hint.Program())
	if cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.Args = onlyCommands
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	if cmd.Name() == "help" {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			named, rest, err := cmd.Root().Find(args)
			if err != nil {
				return command.Usage(err)
			}
			return onlyCommands(named, rest)
		}
	}
	if cmd.HasParent() && cmd.Parent().Name() == "completion" {
		cmd.Args = command.ExactArgs(0, "no argument")
	}
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return command.Usage(err)
			}
			return nil
		}
	}
	for _, c := range cmd.Commands() {
		complete(c)
	}
}

// onlyCommands checks the arguments of commands that only have subcommands.
func onlyCommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	said := fmt.Sprintf("unknown command %q", args[0])
	if cmd.HasParent() {
		said += " of " + cmd.Name()
	}
	hint := suggest.Hint(args[0], names)
	if hint == "" && cmd.HasParent() && len(names) > 0 { // The help, which the next line names, lists the root's commands.
		hint = ": use " + command.OneOf(names)
	}
	return command.Usage(errors.New(said + hint))
}

// flagError returns a usage error about a flag, with a hint if a known flag has a similar name.
func flagError(cmd *cobra.Command, err error) error {
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && unknown.GetSpecifiedShortnames() == "" {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
		return command.Usagef("%w%s", err, suggest.Hint("--"+unknown.GetSpecifiedName(), names))
	}
	return command.Usage(settings.Plain(err))
}
