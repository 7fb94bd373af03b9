package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/e2e/triage"
	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

const (
	// gatherLimit is the timeout for gathering evidence.
	gatherLimit = 30 * time.Second
	// failureInterval is the minimum interval of the operator's log lines about lost spans.
	failureInterval = time.Minute
	// mostFailures and mostEvents limit the lines of a report, counted from the end.
	mostFailures, mostEvents = 5, 30
)

// explain creates the report about a failed wait for a Head's trace, and writes it to the
// artifacts. It queries the cluster, which takes time, so it only runs after a failure.
func (s *Fixture) explain(ctx context.Context, head *v1alpha1.Head, seen tracetree.Completion, err error) *triage.Report {
	// The wait may have ended because ctx was cancelled.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), gatherLimit)
	defer cancel()
	e := triage.Evidence{
		Completion: seen, Object: fmt.Sprintf("Head %s/%s", head.Namespace, head.Name),
		Traceparent: head.Annotations[tracetree.TraceparentAnnotation], Service: Service, Receivers: s.receivers(),
	}
	if at, noted := s.applied.Load(head.Name); noted {
		e.Applied, _ = at.(time.Time)
	}
	for _, gather := range []func(context.Context, *triage.Evidence) error{s.addOperator, s.addFailures, s.addConditions(head), s.addEvents} {
		if err := gather(ctx, &e); err != nil {
			e.Unknown = append(e.Unknown, err.Error())
		}
	}
	report := triage.NewReport(e, err)
	if keep := s.Keep("triage-"+seen.TraceID+".txt", []byte(report.Error()+"\n")); keep != nil {
		s.t.Log(keep)
	}
	report.Options = explainOptions(os.Getenv, os.Stdout) // The file has no colours.
	return report
}

func (s *Fixture) addOperator(ctx context.Context, e *triage.Evidence) (err error) {
	if s.RunsContainers() {
		e.Operator, err = s.deployedState(ctx)
	} else {
		e.Operator, err = s.processState(ctx)
	}
	return err
}

// addFailures adds the log lines of the running operator about lost spans.
func (s *Fixture) addFailures(ctx context.Context, e *triage.Evidence) error {
	lines, err := s.ExportFailures(ctx)
	if err != nil {
		return err
	}
	operator := &e.Operator
	begun := e.Applied
	if begun.IsZero() {
		begun = e.Completion.Begun
	}
	// An earlier line can have suppressed a line about this trace. A line of an earlier process is
	// irrelevant.
	begun = begun.Add(-failureInterval)
	if operator.Started.After(begun) {
		begun = operator.Started
	}
	for _, line := range lines {
		if at, known := timeOf(line); !known || !at.Before(begun.Truncate(time.Second)) {
			operator.Failures = append(operator.Failures, line)
		}
	}
	operator.Failures = operator.Failures[max(0, len(operator.Failures)-mostFailures):]
	return nil
}

var logTime = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`)

// timeOf returns the first time in a log line, which is the time of the line.
func timeOf(line string) (time.Time, bool) {
	at, err := time.Parse(time.RFC3339Nano, logTime.FindString(line))
	return at, err == nil
}

// addConditions adds the conditions of the Head and its descendants, down to Pods.
func (s *Fixture) addConditions(head *v1alpha1.Head) func(context.Context, *triage.Evidence) error {
	return func(ctx context.Context, e *triage.Evidence) error {
		var err error
		if e.Conditions, err = s.conditions(ctx, head); err != nil {
			return fmt.Errorf("reading the conditions of %s and its children: %w", e.Object, err)
		}
		return nil
	}
}

func (s *Fixture) conditions(ctx context.Context, head *v1alpha1.Head) (lines []string, err error) {
	add := func(kind, name string, conditions []metav1.Condition) {
		if len(conditions) == 0 {
			lines = append(lines, fmt.Sprintf("%s %s: no conditions", kind, name))
		}
		for _, c := range conditions {
			lines = append(lines, fmt.Sprintf("%s %s: %s=%s %s: %s", kind, name, c.Type, c.Status, c.Reason, c.Message))
		}
	}
	now, children := &v1alpha1.Head{}, &v1alpha1.ChildAList{}
	deployments, pods := &appsv1.DeploymentList{}, &corev1.PodList{}
	in := client.InNamespace(head.Namespace)
	errs := []error{s.Client.Get(ctx, client.ObjectKeyFromObject(head), now)}
	if errs[0] == nil {
		add("Head", now.Name, now.Status.Conditions)
	}
	errs = append(errs, s.Client.List(ctx, children, in), s.Client.List(ctx, deployments, in), s.Client.List(ctx, pods, in))
	mine := func(name string) bool { return strings.HasPrefix(name, head.Name+"-child-a") }
	for _, child := range children.Items {
		if mine(child.Name) {
			add("ChildA", child.Name, child.Status.Conditions)
		}
	}
	for _, d := range deployments.Items {
		for _, c := range d.Status.Conditions {
			if mine(d.Name) {
				add("Deployment", d.Name, []metav1.Condition{{Type: string(c.Type), Status: metav1.ConditionStatus(c.Status), Reason: c.Reason, Message: c.Message}})
			}
		}
	}
	for _, pod := range pods.Items {
		if mine(pod.Name) {
			lines = append(lines, podState(pod)...)
		}
	}
	return lines, errors.Join(errs...)
}

// podState returns the reasons why a Pod does not run, and the number of its restarts.
func podState(pod corev1.Pod) []string {
	lines := []string{fmt.Sprintf("Pod %s: %s", pod.Name, pod.Status.Phase)}
	for _, c := range pod.Status.ContainerStatuses {
		switch {
		case c.State.Waiting != nil:
			lines = append(lines, fmt.Sprintf("Pod %s: container %s waits: %s: %s", pod.Name, c.Name, c.State.Waiting.Reason, c.State.Waiting.Message))
		case c.RestartCount > 0:
			lines = append(lines, fmt.Sprintf("Pod %s: container %s was restarted %d times", pod.Name, c.Name, c.RestartCount))
		}
	}
	return lines
}

// addEvents adds the events of the fixture's namespace, oldest first.
func (s *Fixture) addEvents(ctx context.Context, e *triage.Evidence) error {
	list := &corev1.EventList{}
	if err := s.Client.List(ctx, list, client.InNamespace(s.Namespace)); err != nil {
		return fmt.Errorf("reading the events of namespace %s: %w", s.Namespace, err)
	}
	slices.SortStableFunc(list.Items, func(a, b corev1.Event) int { return eventTime(a).Compare(eventTime(b)) })
	for _, event := range list.Items[max(0, len(list.Items)-mostEvents):] {
		o := event.InvolvedObject
		e.Events = append(e.Events, fmt.Sprintf("event of %s %s: %s %s: %s", o.Kind, o.Name, event.Type, event.Reason, event.Message))
	}
	return nil
}

func eventTime(e corev1.Event) time.Time {
	for _, at := range []time.Time{e.LastTimestamp.Time, e.EventTime.Time} {
		if !at.IsZero() {
			return at
		}
	}
	return e.CreationTimestamp.Time
}
