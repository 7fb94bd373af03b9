package lifecycle

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/operator-tracing/sandbox/sandbox/export"
	"github.com/operator-tracing/sandbox/sandbox/export/redact"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/traces"
)

// writeEvents writes all events, one a line, the oldest first.
func (s *Sandbox) writeEvents(ctx context.Context, out io.Writer) error {
	target, err := s.Target()
	if err != nil {
		return err
	}
	events := &corev1.EventList{}
	if err := target.Client().List(ctx, events); err != nil {
		return fmt.Errorf("listing events: %w", err)
	}
	slices.SortStableFunc(events.Items, func(a, b corev1.Event) int { return cmp.Compare(timeOf(a).UnixNano(), timeOf(b).UnixNano()) })
	scope, err := s.scope(ctx)
	if err != nil {
		return err
	}
	for _, e := range events.Items {
		object := e.InvolvedObject
		if !scope.HasEvent(e) {
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
func (s *Sandbox) writeSampleTrace(ctx context.Context, out io.Writer) error {
	name, err := s.Sample()
	if err != nil {
		return err
	}
	trace, err := s.Trace(ctx, name)
	if errors.Is(err, traces.ErrNoObject) || errors.Is(err, tracetree.ErrNotFound) {
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

// secretValues returns the keys, tokens and passwords in the sandbox's folder and in the options. An
// export must not contain them, whichever program printed them.
func (s *Sandbox) secretValues() []redact.Known {
	variables := slices.Concat(s.OperatorEnv, s.Record.OperatorEnv)
	if s.Project != nil {
		for name, value := range s.Project.File.Operator.Env {
			variables = append(variables, name+"="+value)
		}
	}
	_, known := redact.Variables(variables)
	for i := range known {
		known[i].Sure = true // The user set it, and its name is unknown.
	}
	records, _ := filepath.Glob(filepath.Join(s.Dir.Records(), "*.json")) // The pattern is valid.
	for _, path := range records {
		if data, err := os.ReadFile(path); err == nil {
			_, more := redact.JSON(data, ofOperator(path))
			known = append(known, more...)
		}
	}
	for _, path := range files(s.Dir.Secrets()...) {
		if data, err := os.ReadFile(path); err == nil {
			for _, value := range secretsOf(path, data) {
				known = append(known, redact.Known{Value: value, Sure: true})
			}
		}
	}
	return known
}

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
