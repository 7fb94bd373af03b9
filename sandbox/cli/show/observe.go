package show

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/collector/pdata/ptrace"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/config"
	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/applytrace"
	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/input"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/observe"
	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/project/condition"
	"github.com/operator-tracing/sandbox/sandbox/traces"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

const (
	// observedQuiet is how long nothing must be written until an observed trace is complete.
	observedQuiet = 1500 * time.Millisecond
	// applyManager is the field manager of --apply.
	applyManager = "sandbox-observe"
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
	allNamespaces                  bool
}

// NewObserve returns the command `sandbox observe`.
func NewObserve(shared *command.Shared) *cobra.Command {
	var o observeOptions
	cmd := &cobra.Command{
		Use:   "observe [KIND/NAME]",
		Short: "Show the work of any operator on any cluster as a trace",
		Long: `observe watches a cluster, waits for the next change of an object, and draws as a trace what all controllers do about it until the
object is ready. It only reads: the operator needs no change, and the cluster no configuration. It needs the permissions get, list
and watch; it skips and lists resources that it may not read. Without KIND/NAME it shows the first object that a user changes.

The cluster is the running sandbox, or with --context or --kubeconfig any other. Each row is the reaction of a controller: it starts
when its cause was written and ends with the controller's own write. See docs/observing.md.

The exit code is 1 if the object is not ready in time.`,
		Example: `  go run ./sandbox observe --context=kind-mine deployment/web
  go run ./sandbox observe --context=kind-mine --apply=sample.yaml
  go run ./sandbox observe certificate/web -n team-a --timeout=5m -o html > web.html
  go run ./sandbox observe head/web --otlp=127.0.0.1:4317`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, shared, strings.Join(args, "")) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.context, "context", "", "`NAME` of a context in your kubeconfig (default the running sandbox, else kubectl's current context)")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig `FILE` (default the files that kubectl reads)")
	flags.StringVarP(&o.namespace, "namespace", "n", "", "namespace of the object, and of the watches (default the context's)")
	flags.BoolVarP(&o.allNamespaces, "all", "A", false, "watch all namespaces, for operators that write into others")
	flags.StringVar(&o.apply, "apply", "", "`FILE` of manifests to apply; the first object is observed if none is named")
	flags.StringVar(&o.condition, "condition", "Ready=True", "state to wait for, as in sandbox.yaml: TYPE=STATUS, .PATH=VALUE or none")
	flags.DurationVar(&o.timeout, "timeout", 5*time.Minute, "limit of the whole observation")
	flags.StringVarP(&o.output, "output", "o", "tree", "form: tree, json (OTLP), html or svg")
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
		return command.Usagef("--condition=%s: use TYPE=STATUS, .PATH=VALUE or none", o.condition)
	}
	if o.timeout <= 0 {
		return command.Usagef("--timeout=%s: use a positive duration", o.timeout)
	}
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
	if s.target, err = o.object(ctx, c, argument, objects); err != nil {
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
	return errors.Join(write(cmd.OutOrStdout(), trace, s.target.String()), err)
}

// cluster returns the cluster that the flags name, and sets the namespace from its context.
func (o *observeOptions) cluster(shared *command.Shared) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if o.kubeconfig != "" {
		rules.ExplicitPath = o.kubeconfig
	} else if o.context == "" {
		if run, err := shared.Attach(); err == nil {
			rules.ExplicitPath = run.Dir.Kubeconfig()
		}
	}
	loaded := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.context})
	cluster, err := loaded.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w; name a cluster with --context or --kubeconfig", err)
	}
	if o.namespace == "" {
		if o.namespace, _, err = loaded.Namespace(); err != nil {
			return nil, fmt.Errorf("reading the kubeconfig: %w", err)
		}
	}
	return cluster, nil
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

// object returns the object that the argument names, else the first one to apply; the zero value is
// any object.
func (o *observeOptions) object(ctx context.Context, c *apply.Cluster, argument string, objects []*unstructured.Unstructured) (writes.Object, error) {
	if argument == "" {
		if len(objects) == 0 {
			return writes.Object{}, nil
		}
		first := objects[0]
		gvk := first.GroupVersionKind()
		return writes.Object{Group: gvk.Group, Kind: gvk.Kind, Namespace: first.GetNamespace(), Name: first.GetName()}, nil
	}
	kind, name, found := strings.Cut(argument, "/")
	if !found || kind == "" || name == "" {
		return writes.Object{}, command.Usagef("%q does not name an object; use KIND/NAME, for example deployment/web", argument)
	}
	known, err := workload.KindCalled(ctx, c, kind)
	if err != nil {
		return writes.Object{}, err
	}
	target := writes.Object{Group: known.Group, Kind: known.Kind, Namespace: o.namespace, Name: name}
	if !known.Namespaced {
		target.Namespace = ""
	}
	return target, nil
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
	version string // the API version of the target's kind; empty until it was written
	spans   ptrace.Traces
	grew    time.Time
	skipped []string
	failure error
}

// observe watches until the object is ready and nothing more is written, or ctx ends.
func (s *observation) observe(ctx context.Context, out io.Writer) (tracetree.Trace, error) {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	s.spans = ptrace.NewTraces()
	synced := make(chan struct{})
	observer := observe.New(observe.Options{
		Alone: s.send == nil, Applied: s.tracer.SpanOf, ExportDelay: drawInterval, Export: s.export, Wrote: s.wrote, Failed: s.failed,
	})
	watcher := &observe.Watcher{Config: s.cluster.Config(), Synced: func() { close(synced) }, Skipped: s.skip}
	if !s.options.allNamespaces {
		watcher.Namespaces = []string{s.options.namespace}
	}
	ended := make(chan error, 1)
	go func() { ended <- watcher.Run(watching, observer) }()
	select {
	case <-synced:
	case err := <-ended:
		return tracetree.Trace{}, err
	case <-ctx.Done():
		return tracetree.Trace{}, errors.Join(fmt.Errorf("listing the objects of the cluster: not done within %s", s.options.timeout), s.failure)
	}
	s.greet()
	err := s.apply(ctx)
	if err == nil {
		err = s.wait(ctx, out)
	}
	stop()
	return s.trace(), errors.Join(err, <-ended)
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

func (s *observation) greet() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.skipped) > 0 {
		fmt.Fprintf(s.progress, "not observed, for lack of permissions: %s\n", strings.Join(s.skipped, ", "))
	}
	what := "an object"
	if s.target.Kind != "" {
		what = s.target.String()
	}
	if len(s.objects) == 0 {
		fmt.Fprintf(s.progress, "waiting for a change of %s (Ctrl-C ends it)\n", what)
	}
}

func (s *observation) skip(resource schema.GroupVersionResource, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skipped = append(s.skipped, resource.GroupResource().String())
}

func (s *observation) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = err
}

// wrote chooses the trace: the last one that starts with a change of the target.
func (s *observation) wrote(w *writes.Write) {
	s.mu.Lock()
	defer s.mu.Unlock()
	named := s.target
	named.UID = w.Object.UID
	isTarget := named == w.Object || s.target.Kind == ""
	if isTarget && w.ByUser() {
		s.target, s.traceID, s.spans = w.Object, w.Span.TraceID().String(), ptrace.NewTraces()
		s.target.UID = ""
	}
	if w.Span.TraceID().String() == s.traceID {
		s.grew = time.Now()
	}
}

// export keeps the spans of the chosen trace.
func (s *observation) export(ctx context.Context, all ptrace.Traces) error {
	s.mu.Lock()
	for _, resource := range all.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			scope.Spans().RemoveIf(func(span ptrace.Span) bool { return span.TraceID().String() != s.traceID })
		}
	}
	chosen := ptrace.NewTraces()
	all.CopyTo(chosen)
	all.ResourceSpans().MoveAndAppendTo(s.spans.ResourceSpans())
	s.mu.Unlock()
	if s.send == nil || chosen.SpanCount() == 0 {
		return nil
	}
	for _, trace := range tracetree.FromOTLP(chosen) {
		if err := s.send.Send(ctx, trace); err != nil {
			return err
		}
	}
	return nil
}

// trace returns the spans of the chosen trace so far.
func (s *observation) trace() tracetree.Trace {
	s.mu.Lock()
	defer s.mu.Unlock()
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
	display, err := newWatched(out, s.progress)
	if err != nil {
		return err
	}
	if s.options.output != "tree" {
		display = &watchedLines{out: io.Discard, progress: s.progress}
	}
	ticker := time.NewTicker(drawInterval)
	defer ticker.Stop()
	look := traces.Look{Waiting: "nothing was changed"}
	for {
		look = traces.Look{Trace: s.trace(), Waiting: s.waiting(ctx)}
		if look.Waiting == "" || ctx.Err() != nil {
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
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(fmt.Errorf("%s is not ready within %s: %s", s.target, s.options.timeout, look.Waiting), s.failure)
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
		err = s.condition.Met(live)
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
