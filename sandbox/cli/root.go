package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/cli/inspect"
	"github.com/operator-tracing/sandbox/sandbox/cli/show"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/near"
	"github.com/operator-tracing/sandbox/sandbox/project"
)

// Plan is `sandbox up`.
type Plan struct {
	// Choice are the steps that decide what the cluster is.
	Choice func(*lifecycle.Sandbox) []lifecycle.Step
	// Steps are those of the cluster that was chosen.
	Steps func(*lifecycle.Sandbox) []lifecycle.Step
	// Fetches are those of `sandbox build` and `sandbox bundle create`.
	Fetches func(*lifecycle.Sandbox) []lifecycle.Step
	// Load are those of `sandbox load operator`, with a new sample if that is asked for.
	Load func(run *lifecycle.Sandbox, sample bool) []lifecycle.Step
}

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// Execute runs the command line and returns the exit code. An error is printed in one line on stderr.
func Execute(ctx context.Context, args []string, stdout io.Writer, stderr *os.File, plan Plan) int {
	ctrllog.SetLogger(logr.Discard()) // A library's log lines would tear the progress apart; its errors are returned.
	root, shared := newRoot(plan, stderr)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	defer shared.Close()
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(stderr, "Error: %s\n", command.EscapeLines(shared.Options.Origins.Explain(err).Error()))
	var file *project.Error
	if errors.As(err, &file) {
		fmt.Fprintf(stderr, "See docs/sandbox-yaml.md.\n")
		return exitUsage
	}
	var option *settings.Error
	if command.IsUsage(err) || errors.As(err, &option) {
		fmt.Fprintf(stderr, "See `sandbox --help`.\n")
		return exitUsage
	}
	return exitFailure
}

func newRoot(plan Plan, stderr *os.File) (*cobra.Command, *command.Shared) {
	root := &cobra.Command{
		Use:   "sandbox",
		Short: "A Kubernetes cluster in which an operator's work can be seen as one trace",
		Long: `sandbox makes a Kubernetes cluster with cert-manager, Jaeger and the reference operator of this repository, applies a Head
object, and prints the trace of what the cluster did about it. The cluster is kind's, or one of processes of this machine.

Options come from flags, then from the environment (SANDBOX_NAME for --name, and so on), then from the YAML file named
by --config, whose keys are the flags' names.`,
		Example: `  go run ./sandbox up            # make it, and see the first trace
  go run ./sandbox trace NAME    # see the trace of any Head
  go run ./sandbox down          # remove it`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(flagError)
	shared := command.Bind(root)
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return shared.Fill(cmd) }
	root.AddCommand(newUp(plan, shared, stderr), newLoad(plan, shared, stderr), newInit(), newDown(shared, stderr), inspect.NewDoctor(shared), inspect.NewStatus(shared), show.NewTrace(shared),
		inspect.NewEnv(shared), inspect.NewForward(shared), inspect.NewLogs(shared), inspect.NewExport(shared, stderr), newStop(shared), newPrune(shared),
		newBuild(plan, shared, stderr), newBundle(plan, shared, stderr),
		newKindConfig(shared, stderr), newAssets(shared, stderr), newManifests())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	checkNames(root)
	return root, shared
}

// checkNames has a name that is no command's be a mistake: cobra answers most of them with help and success.
func checkNames(cmd *cobra.Command) {
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
	for _, c := range cmd.Commands() {
		checkNames(c)
	}
}

// onlyCommands is for commands that do nothing but have others.
func onlyCommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	names := commandNames(cmd)
	said := fmt.Sprintf("unknown command %q", args[0])
	if cmd.HasParent() {
		said += " of " + cmd.Name()
	}
	hint := near.Hint(args[0], names)
	if hint == "" && cmd.HasParent() && len(names) > 0 { // The help that the next line names lists the others.
		hint = ": use " + command.OneOf(names)
	}
	return command.Usage(errors.New(said + hint))
}

func commandNames(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return names
}

// flagError is a mistake in a flag, with the flag that may have been meant.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "" {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
		return command.Usagef("%w%s", err, near.Hint("--"+unknown.GetSpecifiedName(), names))
	}
	return command.Usage(settings.Plain(err))
}
