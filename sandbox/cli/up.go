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
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/port"
	"github.com/operator-tracing/sandbox/sandbox/selftrace"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

func newUp(plan Plan, shared *command.Shared, stderr *os.File) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Make the sandbox, or repair it, and show the sample's trace",
		Long: `up makes the sandbox and prints the trace of the sample: a Head, or what the sandbox.yaml that is named by -f says of an
operator of your own (docs/sandbox-yaml.md; "sandbox init" writes one).

It can be run again at any time: what is there is kept, what is missing or broken is mended.

The cluster is kind's where a container engine works. Elsewhere, or with --cluster=embedded, it is a real control plane,
cert-manager, Jaeger and the operator as processes of this machine, with a simulated node: no root, no containers, and up in
seconds. Images and programs come from a registry or, if none answers, from source. A first build takes some 20 minutes and is
kept in the cache.

With --cluster=existing --context=NAME it takes a cluster that is there: cert-manager, unless the cluster has it, Jaeger, unless
--jaeger-endpoint names yours, the operator and the sample are added to it. It says what it will add and asks; "sandbox down" removes
that, and nothing else. docs/clusters.md tells all about it.`,
		Example: `  go run ./sandbox up
  go run ./sandbox up --cluster=embedded
  go run ./sandbox up --cluster=existing --context=kind-mine --yes`,
		Args: command.ExactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runUp(cmd.Context(), plan, shared, cmd, stderr, asker{in: cmd.InOrStdin(), out: stderr, yes: yes})
		},
	}
	shared.BindUp(cmd.Flags())
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "with --cluster=existing: change the cluster without asking")
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
	if err != nil {
		return err
	}
	if err := show.Sample(ctx, run, cmd.OutOrStdout()); err != nil {
		return err
	}
	span.End()
	showTimes(ctx, run, recorder, span, stderr)
	if notice := run.CacheNotice(); notice != "" {
		fmt.Fprintf(stderr, "%s\n", notice)
	}
	return nil
}

// runPlan runs the steps. What is known of one that failed is kept, unless the user has ended it, which patience tells.
func runPlan(ctx, patience context.Context, plan Plan, run *lifecycle.Sandbox, progress *ui.Progress, ask asker) error {
	if err := lifecycle.Do(ctx, progress, plan.Choice(run)); err != nil {
		return err
	}
	if changes := run.Changes(); len(changes) > 0 {
		title := fmt.Sprintf("The sandbox %s will be added to the cluster of %s:", run.Name, run.Where())
		if err := ask.agree(ctx, title, changes, "`sandbox down` removes all of it, and nothing else."); err != nil {
			return err
		}
	}
	err := lifecycle.Do(ctx, progress, plan.Steps(run))
	if err != nil {
		diagnose(patience, run, err, progress)
	}
	return err
}

// sendTimeout bounds the sending of the sandbox's own trace: nobody should wait for it long.
const sendTimeout = 5 * time.Second

// showTimes says where the time went, and sends the sandbox's own trace to its Jaeger. That it could not be sent is no failure of up.
func showTimes(ctx context.Context, run *lifecycle.Sandbox, recorder *selftrace.Recorder, span trace.Span, stderr io.Writer) {
	var parts []string
	for _, s := range recorder.CriticalPath() {
		if s.Took >= 50*time.Millisecond { // What would be shown as 0.0.
			parts = append(parts, fmt.Sprintf("%s %.1f", s.Name, s.Took.Seconds()))
		}
	}
	if len(parts) == 0 {
		return
	}
	fmt.Fprintf(stderr, "\nWhere the time went: %s s\n", strings.Join(parts, ", "))
	if run.Addresses()[component.OTLPGRPC] == "" { // Jaeger is the user's: what is sent there is the operator's alone.
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
		where = "UI" // That address ends with this command; `sandbox forward` gives another.
	}
	fmt.Fprintf(stderr, "As a trace: %s/trace/%s\n", where, span.SpanContext().TraceID())
}

// diagnose keeps what is known about a step that failed, and says where. Who pressed Ctrl-C knows why, and so does who asked for a
// port that is taken. A folder that can't be written is what the failure is about, most often: nothing more is said of it.
func diagnose(ctx context.Context, run *lifecycle.Sandbox, failure error, progress *ui.Progress) {
	var taken *port.TakenError
	if ctx.Err() != nil || errors.As(failure, &taken) {
		return
	}
	if kept, err := run.Diagnose(ctx); err == nil {
		progress.Printf("   Diagnostics are in %s (the last three are kept; `sandbox export` writes more).", kept.Dir)
	}
}

// errDeclined says that the user did not agree.
var errDeclined = errors.New("nothing was changed: you did not agree")

// asker asks the user to agree to something.
type asker struct {
	in  io.Reader
	out io.Writer
	// yes is that the user has agreed already.
	yes bool
}

// agree says what is to be done, and asks whether it may be, unless the user has agreed. Where nobody can answer, that is a mistake
// in the command line.
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
		return command.Usage(errors.New("nothing was changed: it needs your agreement, and there is no terminal to ask on: look at what is listed above, and give --yes"))
	}
	fmt.Fprint(a.out, "Go on? [y/N] ")
	answers := make(chan string, 1)
	go func() { // Who presses Ctrl-C instead ends the program, and this with it.
		answer, _ := bufio.NewReader(a.in).ReadString('\n') // An end without an answer is none.
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
