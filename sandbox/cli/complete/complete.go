// Package complete completes arguments in shells: names of objects, kinds and components, and IDs of
// traces. A completion takes at most a second. After an error it has no candidates and prints nothing.
package complete

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/companion"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/kinds"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/provider"
)

const (
	// limit is the time limit of a completion.
	limit = time.Second
	// most is the number of candidates of one kind.
	most = 200
)

// candidates returns the candidates for a word. The sandbox is attached.
type candidates func(ctx context.Context, run *lifecycle.Sandbox, cmd *cobra.Command, word string) []cobra.Completion

// function returns a completion of the first count arguments, or of a flag for 0. The sandbox is the one
// that the flags, the environment or the file of options name.
func function(shared *command.Shared, count int, otherwise cobra.ShellCompDirective, find candidates) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if count > 0 && len(args) >= count || shared.Fill(cmd) != nil || isElsewhere(cmd) {
			return nil, otherwise
		}
		run, err := shared.Attach()
		if err != nil {
			return nil, otherwise
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), limit)
		defer cancel()
		names := slices.DeleteFunc(find(ctx, run, cmd, word), func(name string) bool { return !strings.HasPrefix(name, word) })
		if len(names) > 0 && !slices.ContainsFunc(names, func(name string) bool { return !strings.HasSuffix(name, "/") }) {
			otherwise |= cobra.ShellCompDirectiveNoSpace // The name of the object follows.
		}
		return names, otherwise
	}
}

// bounded sends requests with its context. Discovery uses none.
type bounded struct {
	ctx  context.Context // It lives as long as one completion.
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	return b.next.RoundTrip(request.WithContext(b.ctx))
}

// clusterOf returns the sandbox's API server, all requests of which end with ctx.
func clusterOf(ctx context.Context, run *lifecycle.Sandbox) (*apply.Cluster, error) {
	target, err := run.Target()
	if err != nil {
		return nil, err
	}
	config := rest.CopyConfig(target.Config())
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return bounded{ctx, next} })
	return apply.NewCluster(config, target.Subject())
}

// isElsewhere reports whether a command is about another cluster than the sandbox's.
func isElsewhere(cmd *cobra.Command) bool {
	return slices.ContainsFunc([]string{"context", "kubeconfig"}, func(name string) bool {
		f := cmd.Flags().Lookup(name)
		return f != nil && f.Value.String() != ""
	})
}

// Traces sets the completions of `sandbox trace` and of its command diff.
func Traces(cmd *cobra.Command, shared *command.Shared) {
	cmd.ValidArgsFunction = object(shared)
	_ = cmd.RegisterFlagCompletionFunc("id", trace(shared)) // Both flags exist.
	_ = cmd.RegisterFlagCompletionFunc("namespace", Namespace(shared))
	for _, sub := range cmd.Commands() {
		if sub.Name() == "diff" {
			sub.ValidArgsFunction = side(shared)
		}
	}
}

// object completes NAME, NAMESPACE/NAME and KIND/NAME.
func object(shared *command.Shared) cobra.CompletionFunc {
	return function(shared, 1, cobra.ShellCompDirectiveNoFileComp, objects)
}

// side completes the sides of a comparison: files, objects and IDs of traces.
func side(shared *command.Shared) cobra.CompletionFunc {
	return function(shared, 2, cobra.ShellCompDirectiveDefault, func(ctx context.Context, run *lifecycle.Sandbox, cmd *cobra.Command, word string) []cobra.Completion {
		return append(objects(ctx, run, cmd, word), traceIDs(ctx, run, cmd, word)...)
	})
}

// Kind completes KIND/NAME, as `sandbox observe` accepts it.
func Kind(shared *command.Shared) cobra.CompletionFunc {
	return function(shared, 1, cobra.ShellCompDirectiveNoFileComp, func(ctx context.Context, run *lifecycle.Sandbox, cmd *cobra.Command, word string) []cobra.Completion {
		target, err := clusterOf(ctx, run)
		if err != nil {
			return nil
		}
		if kind, _, named := strings.Cut(word, "/"); named {
			return ofKind(ctx, target, cmd, kind)
		}
		return allKinds(target)
	})
}

// trace completes IDs of traces of the last hour.
func trace(shared *command.Shared) cobra.CompletionFunc {
	return function(shared, 0, cobra.ShellCompDirectiveNoFileComp, traceIDs)
}

// Namespace completes namespaces.
func Namespace(shared *command.Shared) cobra.CompletionFunc {
	return function(shared, 0, cobra.ShellCompDirectiveNoFileComp, func(ctx context.Context, run *lifecycle.Sandbox, _ *cobra.Command, _ string) []cobra.Completion {
		target, err := clusterOf(ctx, run)
		if err != nil {
			return nil
		}
		return names(list(ctx, target, corev1.SchemeGroupVersion.WithKind("Namespace")), func(o *metav1.PartialObjectMetadata) string { return o.Name })
	})
}

// Log completes the logs of the sandbox's components.
func Log(shared *command.Shared) cobra.CompletionFunc {
	return function(shared, 1, cobra.ShellCompDirectiveNoFileComp, func(_ context.Context, run *lifecycle.Sandbox, _ *cobra.Command, _ string) []cobra.Completion {
		kind := run.Record.Cluster
		found := slices.Concat(provider.LogNames(kind), provider.LogGroups(kind))
		if companion.Of(run.Session).Wanted() {
			found = append(found, companion.Name)
		}
		if run.Record.ComponentPorts[component.JaegerPage] != 0 {
			found = append(found, companion.GateName)
		}
		slices.Sort(found)
		return slices.Compact(found)
	})
}

func objects(ctx context.Context, run *lifecycle.Sandbox, cmd *cobra.Command, word string) []cobra.Completion {
	target, err := clusterOf(ctx, run)
	if err != nil {
		return nil
	}
	prefix, _, qualified := strings.Cut(word, "/")
	if qualified {
		if found := ofKind(ctx, target, cmd, prefix); len(found) > 0 {
			return found
		}
	}
	kind := target.Subject().Kind()
	wanted := namespaceOf(cmd)
	found := names(list(ctx, target, kind), func(o *metav1.PartialObjectMetadata) string {
		switch {
		case qualified || wanted == "" && o.Namespace != "" && o.Namespace != project.DefaultNamespace:
			return o.Namespace + "/" + o.Name
		case wanted != "" && o.Namespace != wanted:
			return ""
		}
		return o.Name
	})
	if word == "" || qualified {
		return found
	}
	return append(found, allKinds(target)...)
}

// ofKind returns KIND/NAME of the objects of a kind; nil if there is no such kind.
func ofKind(ctx context.Context, target *apply.Cluster, cmd *cobra.Command, called string) []cobra.Completion {
	kind, err := kinds.Called(ctx, target, called)
	if err != nil {
		return nil
	}
	var options []client.ListOption
	if kind.Namespaced {
		namespace := namespaceOf(cmd)
		if namespace == "" {
			namespace = project.DefaultNamespace
		}
		options = append(options, client.InNamespace(namespace))
	}
	return names(list(ctx, target, kind.GroupVersionKind, options...), func(o *metav1.PartialObjectMetadata) string { return called + "/" + o.Name })
}

// allKinds returns KIND/ for all kinds.
func allKinds(target *apply.Cluster) []cobra.Completion {
	var found []cobra.Completion
	for _, name := range kinds.Names(target) {
		found = append(found, name+"/")
	}
	return found
}

func namespaceOf(cmd *cobra.Command) string {
	if f := cmd.Flags().Lookup("namespace"); f != nil {
		return f.Value.String()
	}
	return ""
}

func list(ctx context.Context, target *apply.Cluster, kind schema.GroupVersionKind, options ...client.ListOption) []metav1.PartialObjectMetadata {
	found := &metav1.PartialObjectMetadataList{}
	found.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	if err := target.Client().List(ctx, found, append(options, client.Limit(most))...); err != nil {
		return nil
	}
	return found.Items
}

// names returns the non-empty names of objects with their age.
func names(objects []metav1.PartialObjectMetadata, name func(*metav1.PartialObjectMetadata) string) []cobra.Completion {
	var found []cobra.Completion
	for i := range objects {
		if text := name(&objects[i]); text != "" {
			found = append(found, cobra.CompletionWithDesc(text, duration.HumanDuration(time.Since(objects[i].CreationTimestamp.Time))+" old"))
		}
	}
	return found
}

func traceIDs(ctx context.Context, run *lifecycle.Sandbox, _ *cobra.Command, _ string) []cobra.Completion {
	traces, err := run.Recent(ctx, most)
	if err != nil {
		return nil
	}
	var found []cobra.Completion
	for _, trace := range traces {
		first := trace.Spans()[0]
		for _, span := range trace.Spans() {
			if span.Start.Before(first.Start) {
				first = span
			}
		}
		found = append(found, cobra.CompletionWithDesc(trace.ID, fmt.Sprintf("%s, %s ago", first.Name, duration.HumanDuration(time.Since(first.Start)))))
	}
	return found
}
