package show

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/config"
	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/applytrace"
	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/explain"
	"github.com/operator-tracing/sandbox/sandbox/input"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/observe"
	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/project/condition"
	"github.com/operator-tracing/sandbox/sandbox/traces"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

const (
	// observedQuiet is how long nothing must be written until an observed trace is complete.
	observedQuiet = 1500 * time.Millisecond
	// applyManager is the field manager of --apply.
	applyManager = "sandbox-observe"
	// maxObserved is the number of spans that are kept.
	maxObserved = 20_000
	// drawInterval is the pause between two looks at the observed trace.
	drawInterval = 250 * time.Millisecond
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
names another state. The exit code is 0 if the object is ready, 1 if not in time, and 2 for mistakes in the command line.`,
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
	s := &observation{options: o, cluster: c, condition: wanted, progress: cmd.ErrOrStderr(), objects: objects, tracer: applytrace.New(applyManager)}
	if s.target, err = o.target(ctx, c, argument, objects); err != nil {
		return err
	}
	if o.otlp != "" {
		sender, err := jaeger.DialOTLP(o.otlp)
		if err != nil {
			return command.Usage(err)
		}
		defer sender.Close()
		s.send = sender
	}
	trace, err := s.observe(ctx, cmd.OutOrStdout())
	if trace.Len() == 0 {
		return err
	}
	written := write(cmd.OutOrStdout(), trace, s.target.String())
	if written == nil && o.output == "tree" {
		written = writeSummary(cmd.OutOrStdout(), trace, explain.Object{Kind: s.target.Kind, Namespace: s.target.Namespace, Name: s.target.Name})
	}
	return errors.Join(written, err)
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

// observation is one run of observe.
type observation struct {
	options   *observeOptions
	cluster   *apply.Cluster
	condition condition.Condition
	progress  io.Writer
	objects   []*unstructured.Unstructured
	target    writes.Object
	send      *jaeger.Sender
	tracer    *applytrace.Tracer

	mu      sync.Mutex
	traceID string
	version string        // the API version of the target's kind; empty until it was written
	spans   ptrace.Traces // of the chosen trace, and before it is chosen of all
	sent    map[pcommon.SpanID]bool
	grew    time.Time
	failure error
	unsent  error // why spans could not be sent
	// skipped are the resources that may not be watched, of which some are reported, and unsearched is
	// the number of resources that may not be listed.
	skipped              []string
	reported, unsearched int
}

// observe watches until the object is ready and nothing more is written, or ctx ends.
func (s *observation) observe(ctx context.Context, out io.Writer) (tracetree.Trace, error) {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	s.spans, s.sent = ptrace.NewTraces(), map[pcommon.SpanID]bool{}
	synced := make(chan struct{})
	observer := observe.New(observe.Options{
		Alone: s.send == nil, Applied: s.tracer.SpanOf, ExportDelay: drawInterval, Export: s.export, Wrote: s.wrote, Failed: s.failed,
	})
	watcher := &observe.Watcher{Config: s.cluster.Config(), Synced: func() { close(synced) }, Skipped: s.skip, Unsearched: s.unsearch}
	watcher.Namespaces, watcher.About = s.scope()
	ended := make(chan error, 1)
	go func() { ended <- watcher.Run(watching, observer) }()
	select {
	case <-synced:
	case err := <-ended:
		return tracetree.Trace{}, err
	case <-ctx.Done():
		return tracetree.Trace{}, errors.Join(fmt.Errorf("listing the objects of the cluster: not done within %s", s.options.timeout), s.failure)
	}
	if err := s.refused(); err != nil {
		return tracetree.Trace{}, err
	}
	s.greet(ctx)
	err := s.apply(ctx)
	if err == nil {
		err = s.wait(ctx, out)
	}
	stop()
	err = errors.Join(err, <-ended)
	s.report()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.traceLocked(), errors.Join(err, s.unsent)
}

// apply applies the manifests. Each object that this changes has a context, and a span "apply KIND".
func (s *observation) apply(ctx context.Context) error {
	s.tracer.Refused = func(obj *unstructured.Unstructured, err error) {
		fmt.Fprintf(s.progress, "applied %s without a trace context: %v\n", apply.Describe(obj), err)
	}
	for _, obj := range s.objects {
		live := &unstructured.Unstructured{}
		live.SetGroupVersionKind(obj.GroupVersionKind())
		err := s.cluster.Client().Get(ctx, client.ObjectKeyFromObject(obj), live)
		if apierrors.IsNotFound(err) {
			live, err = nil, nil
		}
		if err == nil {
			err = s.tracer.Apply(ctx, live, obj, s.sendApply)
		}
		if err != nil {
			return fmt.Errorf("applying %s: %w", apply.Describe(obj), err)
		}
	}
	if s.send == nil {
		return nil
	}
	return s.tracer.Send(ctx, s.options.otlp)
}

func (s *observation) sendApply(ctx context.Context, obj *unstructured.Unstructured, options ...client.ApplyOption) error {
	options = append(options, client.FieldOwner(applyManager), client.ForceOwnership)
	return s.cluster.Client().Apply(ctx, client.ApplyConfigurationFromUnstructured(obj), options...)
}

func (s *observation) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = err
}

// wrote chooses the trace: the last one that starts with a change of the target, or the first one
// in which a controller changes what it is to be.
func (s *observation) wrote(w *writes.Write) {
	s.mu.Lock()
	defer s.mu.Unlock()
	named := s.target
	named.UID = w.Object.UID
	isTarget := named == w.Object || s.target.Kind == ""
	if isTarget && (w.ByUser() || s.target.Kind != "" && s.traceID == "" && isDesired(w)) {
		s.target, s.traceID = w.Object, w.Span.TraceID().String()
		s.target.UID = ""
	}
	if w.Span.TraceID().String() == s.traceID {
		s.grew = time.Now()
	}
}

// isDesired reports whether a write changed the desired state of an object.
func isDesired(w *writes.Write) bool {
	return w.Verb == "create" || w.Verb == writes.VerbDelete || w.Verb == writes.VerbRemove ||
		slices.ContainsFunc(w.Fields, func(field string) bool { return strings.HasPrefix(field, "spec") })
}

// export keeps the spans of the chosen trace, and sends the ones that were not sent. After an
// error it is called again.
func (s *observation) export(ctx context.Context, all ptrace.Traces) error {
	s.mu.Lock()
	if s.spans.SpanCount() < maxObserved {
		all.ResourceSpans().MoveAndAppendTo(s.spans.ResourceSpans())
	}
	id := s.traceID
	if id != "" {
		removeSpans(s.spans, func(span ptrace.Span) bool { return span.TraceID().String() != id })
	}
	chosen := ptrace.NewTraces()
	s.spans.CopyTo(chosen)
	s.mu.Unlock()
	if s.send == nil || id == "" {
		return nil
	}
	removeSpans(chosen, func(span ptrace.Span) bool { return s.sent[span.SpanID()] })
	var err error
	for _, trace := range tracetree.FromOTLP(chosen) {
		err = errors.Join(err, s.send.Send(ctx, trace))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unsent = err; err == nil {
		removeSpans(chosen, func(span ptrace.Span) bool { s.sent[span.SpanID()] = true; return false })
	}
	return err
}

func removeSpans(all ptrace.Traces, remove func(ptrace.Span) bool) {
	for _, resource := range all.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			scope.Spans().RemoveIf(remove)
		}
	}
}

// trace returns the spans of the chosen trace so far.
func (s *observation) trace() tracetree.Trace {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.traceLocked()
}

func (s *observation) traceLocked() tracetree.Trace {
	copied := ptrace.NewTraces()
	s.spans.CopyTo(copied)
	s.tracer.Traces().ResourceSpans().MoveAndAppendTo(copied.ResourceSpans())
	for _, found := range tracetree.FromOTLP(copied) {
		if found.ID == s.traceID {
			return found
		}
	}
	return tracetree.Trace{}
}

// wait draws the trace until the object is ready and quiet, or ctx ends.
func (s *observation) wait(ctx context.Context, out io.Writer) error {
	display, err := s.display(out)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(drawInterval)
	defer ticker.Stop()
	look := traces.Look{Waiting: "nothing was changed"}
	for {
		why := s.waiting(ctx)
		if ctx.Err() != nil { // The last state is the reason.
			break
		}
		if look = (traces.Look{Trace: s.trace(), Waiting: why}); why == "" {
			break
		}
		if err := display.show(look); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	if closer, ok := display.(*watchedScreen); ok {
		if err := closer.screen.Close(); err != nil {
			return err
		}
	}
	if look.Waiting == "" {
		return nil
	}
	return s.notReady(ctx, look.Waiting)
}

// display returns the display of the growing trace. The result goes to stdout when it is complete.
func (s *observation) display(out io.Writer) (watched, error) {
	switch {
	case s.options.output != "tree":
		return &watchedLines{out: io.Discard, progress: s.progress}, nil
	case !ui.Drawable(out):
		return &watchedLines{out: s.progress, progress: s.progress}, nil
	}
	return newWatched(out, s.progress)
}

// waiting returns why the trace is incomplete; "" if it is complete.
func (s *observation) waiting(ctx context.Context) string {
	s.mu.Lock()
	target, chosen, grew := s.target, s.traceID != "", s.grew
	s.mu.Unlock()
	if !chosen {
		return "nothing was changed"
	}
	live, err := s.read(ctx, target)
	switch {
	case apierrors.IsNotFound(err):
		err = nil // It was deleted: its dependents end, too.
	case err == nil && live.GetDeletionTimestamp() != nil:
		err = fmt.Errorf("it is being deleted; finalizers: %s", strings.Join(live.GetFinalizers(), ", "))
	case err == nil:
		err = s.ready(live)
	}
	switch quiet := time.Since(grew); {
	case err != nil:
		return err.Error()
	case quiet < observedQuiet:
		return "writes still arrive"
	}
	return ""
}

func (s *observation) read(ctx context.Context, target writes.Object) (*unstructured.Unstructured, error) {
	if s.version == "" {
		mapping, err := s.cluster.Client().RESTMapper().RESTMapping(schema.GroupKind{Group: target.Group, Kind: target.Kind})
		if err != nil {
			return nil, err
		}
		s.version = mapping.GroupVersionKind.Version
	}
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(schema.GroupVersionKind{Group: target.Group, Version: s.version, Kind: target.Kind})
	return live, s.cluster.Client().Get(ctx, client.ObjectKey{Namespace: target.Namespace, Name: target.Name}, live)
}
