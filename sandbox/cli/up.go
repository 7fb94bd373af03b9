package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/term"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/cli/show"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/graph"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/port"
	"github.com/operator-tracing/sandbox/sandbox/prune"
	"github.com/operator-tracing/sandbox/sandbox/selftrace"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

func newUp(plan Plan, shared *command.Shared, stderr *os.File) *cobra.Command {
	var yes bool
	versioned := component.List(component.IsVersioned)
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Create or repair the sandbox, and print the sample's trace",
		Long: `up creates the sandbox and prints the trace of the sample: a Head, or the sample of your own operator if -f names its
sandbox.yaml (docs/sandbox-yaml.md; "sandbox init" writes one).

You can run it again at any time: it keeps existing parts and repairs missing or broken parts.

The cluster is a kind cluster if a container engine works. Otherwise, or with --cluster=embedded, a real control plane,
` + versioned + ` and the operator run as processes on this machine, with a simulated node: without root or containers, and
within seconds. Images and programs come from a registry or, if no registry is reachable, from source. A first build takes about
20 minutes. The cache keeps its result.

With --cluster=existing --context=NAME it uses an existing cluster. It adds ` + component.List(component.IsShared) + `, unless the cluster has it, Jaeger,
unless --jaeger-endpoint names yours, the operator and the sample. It lists the changes and asks first. "sandbox down" deletes
these objects, and nothing else. docs/clusters.md has the details.`,
		Example: `  go run ./sandbox up
  go run ./sandbox up --cluster=embedded
  go run ./sandbox up --cluster=existing --context=kind-mine --yes`,
		Args: command.ExactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runUp(cmd.Context(), plan, shared, cmd, stderr, asker{in: cmd.InOrStdin(), out: stderr, yes: yes})
		},
	}
	shared.BindUp(cmd.Flags())
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "with --cluster=existing: no question before changes to the cluster")
	return cmd
}

func runUp(parent context.Context, plan Plan, shared *command.Shared, cmd *cobra.Command, stderr *os.File, ask asker) error {
	run, err := shared.Open()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(parent, run.Timeout)
	defer cancel()
	recorder := selftrace.NewRecorder()
	ctx, span := recorder.Start(ctx, "sandbox up")
	progress := ui.NewProgress(stderr)
	run.Note = progress.Printf
	unlock, err := run.Lock(ctx, progress.Printf)
	if err == nil {
		defer unlock()
		err = runPlan(ctx, parent, plan, run, progress, ask)
	}
	progress.Close()
	if errors.Is(err, graph.ErrInterrupted) {
		return fmt.Errorf("%w; %s deletes the sandbox", err, hint.Run("down"))
	}
	if err != nil {
		return err
	}
	if err := show.Sample(ctx, run, cmd.OutOrStdout()); err != nil {
		return err
	}
	span.End()
	showTimes(ctx, run, recorder, span, stderr)
	if notice := prune.Notice(run.Session); notice != "" {
		fmt.Fprintf(stderr, "%s\n", notice)
	}
	return nil
}

// runPlan runs the steps. If a step fails, it writes diagnostics, unless the user interrupted the
// command, which cancels parent. The deadline of ctx does not cancel parent.
func runPlan(ctx, parent context.Context, plan Plan, run *lifecycle.Sandbox, progress *ui.Progress, ask asker) error {
	if err := graph.Do(ctx, progress, plan.Choice(run)); err != nil {
		return err
	}
	if changes := run.Changes(); len(changes) > 0 {
		title := fmt.Sprintf("The sandbox %s will be added to the cluster of %s:", run.Name, run.Where())
		if err := ask.agree(ctx, title, changes, hint.Run("down")+" deletes all of it, and nothing else."); err != nil {
			return err
		}
	}
	err := graph.Do(ctx, progress, plan.Steps(run))
	if err != nil {
		diagnose(parent, run, err, progress)
	}
	return err
}

// sendTimeout limits the export of the sandbox's own trace.
const sendTimeout = 5 * time.Second

// showTimes prints the durations of the steps on the critical path, and sends the sandbox's own
// trace to its Jaeger. It prints a failed export and does not return it.
func showTimes(ctx context.Context, run *lifecycle.Sandbox, recorder *selftrace.Recorder, span trace.Span, stderr io.Writer) {
	var parts []string
	for _, s := range recorder.CriticalPath() {
		if s.Took >= 50*time.Millisecond { // A shorter time is printed as 0.0.
			parts = append(parts, fmt.Sprintf("%s %.1f", s.Name, s.Took.Seconds()))
		}
	}
	if len(parts) == 0 {
		return
	}
	fmt.Fprintf(stderr, "\nWhere the time went: %s s\n", strings.Join(parts, ", "))
	if run.Addresses()[component.OTLPGRPC] == "" { // The user's own Jaeger receives only the operator's spans.
		return
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if err := recorder.Send(ctx, run.Addresses()[component.OTLPGRPC]); err != nil {
		fmt.Fprintf(stderr, "%v\n", err)
		return
	}
	where := run.Addresses()[component.UI]
	if run.Existing() {
		where = "UI" // The address is valid until this command ends; `forward` prints another.
	}
	fmt.Fprintf(stderr, "As a trace: %s/trace/%s\n", where, span.SpanContext().TraceID())
}

// diagnose writes diagnostics of a failed step, and prints their folder. It does nothing if the
// user interrupted the command, or if a port is in use: the error is sufficient then. It does not
// report a failed write, because the step usually failed for the same reason.
func diagnose(ctx context.Context, run *lifecycle.Sandbox, failure error, progress *ui.Progress) {
	if _, taken := errors.AsType[*port.TakenError](failure); taken || ctx.Err() != nil {
		return
	}
	if kept, err := run.Diagnose(ctx); err == nil {
		progress.Printf("   Diagnostics are in %s (the last three are kept; %s writes more).", kept.Dir, hint.Run("export"))
	}
}

var errDeclined = errors.New("declined; no changes were made")

type asker struct {
	in  io.Reader
	out io.Writer
	// yes skips the question.
	yes bool
}

// agree prints the changes and waits for the user's confirmation. It returns errDeclined if the
// user does not confirm, and a usage error if stdin is not a terminal.
func (a asker) agree(ctx context.Context, title string, changes []string, end string) error {
	fmt.Fprintf(a.out, "\n%s\n\n", title)
	for _, change := range changes {
		fmt.Fprintf(a.out, "  %s\n", change)
	}
	fmt.Fprintf(a.out, "\n%s\n", end)
	if a.yes {
		fmt.Fprintln(a.out)
		return nil
	}
	if file, ok := a.in.(*os.File); !ok || !term.IsTerminal(int(file.Fd())) {
		return command.Usage(errors.New("confirmation required, but stdin is not a terminal; review the plan above and pass --yes"))
	}
	fmt.Fprint(a.out, "Continue? [y/N] ")
	answers := make(chan string, 1)
	go func() { // After Ctrl-C, this goroutine runs until the program exits.
		answer, _ := bufio.NewReader(a.in).ReadString('\n') // The end of the input counts as no.
		answers <- strings.ToLower(strings.TrimSpace(answer))
	}()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case answer := <-answers:
		if answer != "y" && answer != "yes" {
			return errDeclined
		}
	}
	return nil
}
