package up

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/export"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
)

// writeEvents writes all events, one a line, the oldest first.
func (r *Run) writeEvents(ctx context.Context, out io.Writer) error {
	target, err := r.Target()
	if err != nil {
		return err
	}
	events := &corev1.EventList{}
	if err := target.Client().List(ctx, events); err != nil {
		return fmt.Errorf("listing events: %w", err)
	}
	slices.SortStableFunc(events.Items, func(a, b corev1.Event) int { return cmp.Compare(timeOf(a).UnixNano(), timeOf(b).UnixNano()) })
	scope, err := r.scope(ctx)
	if err != nil {
		return err
	}
	for _, e := range events.Items {
		object := e.InvolvedObject
		if !scope.hasEvent(e) {
			continue
		}
		_, err := fmt.Fprintf(out, "%s %-7s %s %s/%s: %s: %s (%d times)\n", timeOf(e).UTC().Format(time.RFC3339), e.Type,
			object.Kind, object.Namespace, object.Name, e.Reason, strings.Join(strings.Fields(e.Message), " "), max(1, e.Count))
		if err != nil {
			return err
		}
	}
	return nil
}

// scope is what of the cluster is exported: all of one that is the sandbox's own, which the zero value stands for.
type scope struct {
	namespaces []string
	has        func(*unstructured.Unstructured) bool
}

// scope finds out what is the sandbox's on an existing cluster: the rest is nobody's business.
func (r *Run) scope(ctx context.Context) (scope, error) {
	if !r.existing {
		return scope{}, nil
	}
	target, err := r.Target()
	if err != nil {
		return scope{}, err
	}
	found, err := apply.ScopeOf(ctx, target)
	if err != nil {
		return scope{}, err
	}
	subject, err := r.Subject()
	if err != nil {
		return scope{}, err
	}
	// Secrets are looked for where logs and objects come from: none are asked for in others' namespaces.
	namespaces := found.Namespaces()
	if len(namespaces) == 0 {
		namespaces = []string{subject.Sample().Namespace}
	}
	return scope{namespaces: namespaces, has: found.Has}, nil
}

// hasEvent tells whether an event is exported.
func (s scope) hasEvent(e corev1.Event) bool {
	if s.has == nil {
		return true
	}
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(e.InvolvedObject.APIVersion)
	object.SetKind(e.InvolvedObject.Kind)
	object.SetNamespace(e.InvolvedObject.Namespace)
	return s.has(object)
}

// timeOf is when an event was seen last.
func timeOf(e corev1.Event) time.Time {
	for _, t := range []time.Time{e.LastTimestamp.Time, e.EventTime.Time, e.FirstTimestamp.Time} {
		if !t.IsZero() {
			return t
		}
	}
	return e.CreationTimestamp.Time
}

// writeSampleTrace writes the sample's trace as OTLP JSON, which `sandbox trace import` reads.
func (r *Run) writeSampleTrace(ctx context.Context, out io.Writer) error {
	name, err := r.Sample()
	if err != nil {
		return err
	}
	trace, err := r.Trace(ctx, name)
	if errors.Is(err, errNoObject) || errors.Is(err, jaeger.ErrNotFound) {
		return fmt.Errorf("%w: %w", export.ErrNothing, err)
	}
	if err != nil {
		return err
	}
	data, err := trace.JSON()
	if err == nil {
		_, err = out.Write(data)
	}
	return err
}

// secretValues are keys, tokens and passwords that the sandbox's folder holds, and those that options brought: an export must not
// have them, wherever somebody printed them.
func (r *Run) secretValues() []string {
	var values []string
	for _, variable := range slices.Concat(r.OperatorEnv, r.Record.OperatorEnv) {
		if name, value, _ := strings.Cut(variable, "="); export.Telling(name) {
			values = append(values, value)
		}
	}
	for _, place := range r.Dir.Secrets() {
		_ = filepath.WalkDir(place, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return nil //nolint:nilerr // What is not there, or can't be read, nobody prints either.
			}
			if data, err := os.ReadFile(path); err == nil {
				values = append(values, secretsOf(path, data)...)
			}
			return nil
		})
	}
	return values
}

// secretsOf are the secrets in one file of the sandbox's.
func secretsOf(path string, data []byte) []string {
	switch {
	case filepath.Base(path) == "token" || bytes.Contains(data, []byte("PRIVATE KEY-----")):
		return []string{string(data)}
	case !strings.HasSuffix(path, "kubeconfig"):
		return nil
	}
	config, err := clientcmd.Load(data)
	if err != nil {
		return nil
	}
	var values []string
	for _, user := range config.AuthInfos {
		values = append(values, user.Token, user.Password, string(user.ClientKeyData))
	}
	return values
}
