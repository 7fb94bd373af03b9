package observation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

// greet says what is awaited, and which resources are not observed.
func (s *Session) greet(ctx context.Context) {
	s.report()
	s.mu.Lock()
	unsearched := s.unsearched
	s.mu.Unlock()
	if unsearched > 0 {
		fmt.Fprintf(s.options.Progress, "not searched for dependents, for lack of permissions: %d other kinds; --all lists them\n", unsearched)
	}
	if len(s.options.Objects) > 0 {
		return
	}
	where := "in all namespaces"
	if namespaces := s.options.Namespaces; namespaces != nil {
		where = "in namespace " + strings.Join(namespaces, ", ")
	}
	if s.options.Target.Kind == "" {
		fmt.Fprintf(s.options.Progress, "watching every kind %s, for the first change by a user for at most %s (Ctrl-C ends it); name an object, for example deployment/web, to watch only related kinds\n", where, s.options.Timeout)
		return
	}
	absent := ""
	if _, err := s.read(ctx, s.options.Target); apierrors.IsNotFound(err) {
		absent = ", which does not exist yet"
	}
	fmt.Fprintf(s.options.Progress, "waiting for a change of %s%s, for at most %s (Ctrl-C ends it)\n", s.options.Target, absent, s.options.Timeout)
}

// report lists the resources that are not observed, and that were not reported.
func (s *Session) report() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fresh := s.skipped[s.reported:]; len(fresh) > 0 {
		slices.Sort(fresh)
		fmt.Fprintf(s.options.Progress, "not observed, for lack of permissions: %s\n", strings.Join(fresh, ", "))
	}
	s.reported = len(s.skipped)
}

func (s *Session) skip(resource schema.GroupVersionResource, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skipped = append(s.skipped, resource.GroupResource().String())
}

func (s *Session) unsearch(schema.GroupVersionResource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsearched++
}

func (s *Session) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = err
}

// refused returns an error if the target's own kind may not be watched.
func (s *Session) refused() error {
	if s.options.Target.Kind == "" {
		return nil
	}
	mapping, err := s.options.Cluster.Client().RESTMapper().RESTMapping(schema.GroupKind{Group: s.options.Target.Group, Kind: s.options.Target.Kind})
	if err != nil {
		return nil // The manifests define the kind.
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := mapping.Resource.GroupResource().String()
	if !slices.Contains(s.skipped, name) {
		return nil
	}
	where := "in all namespaces; name one with -n NAMESPACE, or use credentials that may"
	if namespaces := s.options.Namespaces; namespaces != nil {
		where = "in namespace " + strings.Join(namespaces, ", ") + "; use another namespace (-n) or credentials that may"
	}
	return fmt.Errorf("no permission to list and watch %s %s", name, where)
}

// ready returns an error if an object has not reached the state to wait for.
func (s *Session) ready(live *unstructured.Unstructured) error {
	if s.options.Condition == nil {
		return apply.Ready(live)
	}
	return s.options.Condition.Met(live)
}

// Unchanged reports whether Run ended because the manifests changed nothing and the object is ready.
func (s *Session) Unchanged() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unchanged && s.traceID == ""
}

// noChange is the state of a session without a trace.
func (s *Session) noChange() string {
	if s.unchanged {
		return "the apply changed nothing"
	}
	return fmt.Sprintf("no change of %s yet (--timeout=%s)", nameOf(s.options.Target), s.options.Timeout)
}

func nameOf(target writes.Object) string {
	if target.Kind == "" {
		return "an object"
	}
	return target.String()
}

// notReady returns the error at the end of ctx. why is the last state.
func (s *Session) notReady(ctx context.Context, why string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	stopped := "stopped after " + s.options.Timeout.String() + " (--timeout)"
	if errors.Is(ctx.Err(), context.Canceled) {
		stopped = "interrupted"
	}
	switch {
	case s.traceID != "":
		why = "not ready: " + why
	case !s.unchanged:
		why = "nothing changed it; change it meanwhile, or pass its manifest with --apply"
	}
	return errors.Join(fmt.Errorf("observing %s: %s: %s", nameOf(s.target), stopped, why), s.failure)
}
