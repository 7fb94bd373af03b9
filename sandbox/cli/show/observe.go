package show

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/config"
	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/cli/complete"
	"github.com/operator-tracing/sandbox/sandbox/explain"
	"github.com/operator-tracing/sandbox/sandbox/input"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/observation"
	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/project/condition"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

// observeOptions are the flags of observe.
type observeOptions struct {
	kubeconfig, context, namespace string
	apply                          string
	condition                      string
	timeout                        time.Duration
	output, otlp                   string
	all, allNamespaces             bool
	// anywhere is true if the namespace is the context's, and not the user's choice.
	anywhere bool
}

// NewObserve returns the command `sandbox observe`.
func NewObserve(shared *command.Shared) *cobra.Command {
	var o observeOptions
	cmd := &cobra.Command{
		Use:   "observe [KIND/NAME]",
		Short: "Show the work of any operator on any cluster as a trace",
		Long: `observe waits for the next change of an object, and draws as a trace what all controllers do about it until the object is ready.
It only reads: the operator needs no change, and the cluster no configuration. It needs the permissions get, list and watch in the
object's namespace; it skips and lists resources that it may not read.

It watches the kind of the object and related kinds, which it adds as they appear: dependents, owners and references. --all watches
every kind. Without KIND/NAME it watches every kind of the namespace, and shows the first object that a user changes.

The cluster is ` + clusterOf(shared) + `. Each row is the reaction of a controller: it starts when its cause was
written and ends with the controller's own write. See docs/observing.md.

An object is ready with the condition Ready, and an object of Kubernetes itself when kubectl counts it as rolled out; --condition
names another state. The exit code is 0 if the object is ready, also if --apply changed nothing, 1 if not in time, and 2 for mistakes
in the command line.`,
		Example: `  go run ./sandbox observe deployment/web                     # then change it, or in another terminal
  go run ./sandbox observe deployment/web --context=kind-mine
  go run ./sandbox observe certificates.cert-manager.io/web -n team-a --timeout=2m
  go run ./sandbox observe --apply=sample.yaml                # apply it, and observe its first object
  go run ./sandbox observe head/web --condition=.status.phase=Running
  go run ./sandbox observe head/web -o html > web.html
  go run ./sandbox observe head/web --otlp=127.0.0.1:4317     # also send it to Jaeger, Tempo or a collector`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return command.Usagef("expected at most one object, KIND/NAME, got %d arguments", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, shared, strings.Join(args, "")) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.context, "context", "", "`NAME` of a context in your kubeconfig (default kubectl's current context, or the running sandbox)")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig `FILE` (default the files that kubectl reads)")
	flags.StringVarP(&o.namespace, "namespace", "n", "", "`namespace` of the object, and of the watches (default the context's)")
	flags.BoolVarP(&o.allNamespaces, "all-namespaces", "A", false, "watches in all namespaces, for operators that write into others")
	flags.BoolVar(&o.all, "all", false, "watches of every kind, in every namespace unless --namespace names one")
	flags.StringVar(&o.apply, "apply", "", "`FILE` of manifests to apply; the first object is observed if none is named")
	flags.StringVar(&o.condition, "condition", "", "`STATE` to wait for, as in sandbox.yaml: TYPE=STATUS, .PATH=VALUE or none (default Ready=True, or for a kind of Kubernetes itself its own rules)")
	flags.DurationVar(&o.timeout, "timeout", 5*time.Minute, "limit of the whole observation")
	flags.StringVarP(&o.output, "output", "o", "tree", "output format: tree, html (a page), svg (a picture), or json (OTLP JSON)")
	flags.StringVar(&o.otlp, "otlp", "", "`ENDPOINT` of an OTLP receiver that gets the trace, too: HOST:PORT (gRPC) or a URL (HTTP)")
	if shared != nil {
		cmd.ValidArgsFunction = complete.Kind(shared)
		_ = cmd.RegisterFlagCompletionFunc("namespace", complete.Namespace(shared)) // The flag exists.
	}
	return cmd
}

func (o *observeOptions) run(cmd *cobra.Command, shared *command.Shared, argument string) error {
	write, err := traceWriter(o.output)
	if err != nil {
		return err
	}
	wanted, ok := condition.Parse(o.condition)
	if !ok {
		return settings.Given("condition", o.condition).Errorf("use TYPE=STATUS, .PATH=VALUE or none")
	}
	if o.timeout <= 0 {
		return settings.Given("timeout", o.timeout).Errorf("use a positive duration")
	}
	if err := checkObject(argument); err != nil {
		return err
	}
	o.anywhere = o.namespace == ""
	ctx, cancel := context.WithTimeout(cmd.Context(), o.timeout)
	defer cancel()
	cluster, err := o.cluster(shared)
	if err != nil {
		return err
	}
	c, err := apply.NewCluster(cluster, project.Subject{})
	if err != nil {
		return err
	}
	objects, err := o.manifests(c)
	if err != nil {
		return err
	}
	target, err := o.target(ctx, c, argument, objects)
	if err != nil {
		return err
	}
	options := observation.Options{
		Cluster: c, Target: target, Objects: objects, Endpoint: o.otlp, Timeout: o.timeout, Progress: cmd.ErrOrStderr(),
	}
	options.Namespaces, options.About = o.scope(target, objects)
	if o.condition != "" {
		options.Condition = &wanted
	}
	if o.otlp != "" {
		if options.Sender, err = jaeger.DialOTLP(o.otlp); err != nil {
			return command.Usage(err)
		}
		defer options.Sender.Close()
	}
	session := observation.New(options)
	trace, err := o.show(ctx, session, cmd.OutOrStdout(), cmd.ErrOrStderr())
	if trace.Len() == 0 {
		if err == nil && session.Unchanged() {
			cmd.PrintErrf("The apply changed nothing, and %s is ready: there is no trace of a change.\n", session.Target())
		}
		return err
	}
	return errors.Join(o.write(cmd.OutOrStdout(), session.Target(), trace, write), err)
}

// write writes the trace of an observed object.
func (o *observeOptions) write(out io.Writer, observed writes.Object, trace tracetree.Trace, write writeTrace) error {
	object := explain.Object{Kind: observed.Kind, Namespace: observed.Namespace, Name: observed.Name}
	err := write(out, trace, form{title: observed.String(), object: object, brief: true})
	if err == nil && o.output == "tree" {
		err = writeSummary(out, trace, object)
	}
	return err
}

// show runs a session and displays its growing trace. Stdout gets only the result.
func (o *observeOptions) show(ctx context.Context, session *observation.Session, out, progress io.Writer) (tracetree.Trace, error) {
	if o.output == "tree" && ui.Drawable(out) {
		screen, err := ui.OpenScreen(out)
		if err != nil {
			return tracetree.Trace{}, err
		}
		trace, err := session.Run(ctx, (&watchedScreen{out: out, screen: screen}).show)
		return trace, errors.Join(err, screen.Close())
	}
	lines := &watchedLines{out: progress, progress: progress}
	if o.output != "tree" {
		lines.out = io.Discard
	}
	return session.Run(ctx, lines.show)
}

func (o *observeOptions) manifests(c *apply.Cluster) ([]*unstructured.Unstructured, error) {
	if o.apply == "" {
		return nil, nil
	}
	data, err := input.ReadFile(o.apply, input.MaxManifest)
	if err == nil {
		err = input.CheckYAML(data)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the manifests: %w", err)
	}
	objects, err := config.Decode(string(data))
	if err == nil && len(objects) == 0 {
		err = errors.New("no objects")
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", o.apply, err)
	}
	for _, obj := range objects {
		if namespaced, err := c.Client().IsObjectNamespaced(obj); err == nil && namespaced && obj.GetNamespace() == "" {
			obj.SetNamespace(o.namespace)
		}
	}
	return objects, nil
}
