package workload

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply"
)

// Notices describes problems of a cluster that concern no component, one line each: Pods for which
// there is no room, and webhooks whose failures the API server ignored, except the failures of
// before, which counts them by webhook; nil is none. The error is the API server's; the result is
// then incomplete.
func Notices(ctx context.Context, c *apply.Cluster, before map[string]int) ([]string, error) {
	notices, err := homeless(ctx, c)
	ignored, failure := IgnoredFailures(ctx, c)
	return append(notices, ignoredNotices(ignored, before)...), errors.Join(err, failure)
}

func ignoredNotices(ignored, before map[string]int) (notices []string) {
	for _, name := range slices.Sorted(maps.Keys(ignored)) {
		failures := ignored[name]
		if failures >= before[name] { // Otherwise the API server restarted, and counts from zero.
			failures -= before[name]
		}
		if failures > 0 {
			notices = append(notices, fmt.Sprintf("the API server ignored %s of the webhook %s (failurePolicy: Ignore)", count(failures, "failure"), name))
		}
	}
	return notices
}

// homeless returns the number of Pods that no node takes, for each reason.
func homeless(ctx context.Context, c *apply.Cluster) ([]string, error) {
	reasons := map[string]int{}
	for _, phase := range []corev1.PodPhase{corev1.PodPending, corev1.PodFailed} { // The kubelet fails a Pod that exceeds its limit.
		pods := &corev1.PodList{}
		if err := c.Client().List(ctx, pods, client.MatchingFields{"status.phase": string(phase)}); err != nil {
			return nil, fmt.Errorf("listing Pods: %w", err)
		}
		for i := range pods.Items {
			if reason, message := unscheduled(&pods.Items[i]); reason != "" {
				reasons[reason+": "+message]++
			}
		}
	}
	var notices []string
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		notices = append(notices, fmt.Sprintf("no room for %s: %s", count(reasons[reason], "Pod"), reason))
	}
	return notices, nil
}

const (
	// unbound is part of the scheduler's message about a Pod whose claim has a class that is not defined.
	unbound       = "unbound immediate PersistentVolumeClaims"
	storageRemedy = "; remove the class of the storage from the object, so that the default class of the cluster applies"
)

// unscheduled returns why no node takes a Pod; empty if one does.
func unscheduled(pod *corev1.Pod) (reason, message string) {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status != corev1.ConditionTrue {
			message = condition.Message
			if strings.Contains(message, unbound) {
				message += storageRemedy
			}
			return condition.Reason, message
		}
	}
	if pod.Status.Phase == corev1.PodFailed && strings.HasPrefix(pod.Status.Reason, "OutOf") {
		return pod.Status.Reason, pod.Status.Message
	}
	return "", ""
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}

// failOpen is the metric of the API server that counts the ignored failures of a webhook.
var failOpen = regexp.MustCompile(`^apiserver_admission_webhook_fail_open_count\{.*\bname="([^"]+)".*\} (\S+)$`)

// IgnoredFailures returns how often the API server ignored a failure of a webhook since the API
// server started, by the name of the webhook.
func IgnoredFailures(ctx context.Context, c *apply.Cluster) (map[string]int, error) {
	metrics, err := c.Clientset().Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the metrics of the API server: %w", err)
	}
	return parseFailOpen(metrics), nil
}

func parseFailOpen(metrics []byte) map[string]int {
	ignored := map[string]int{}
	lines := bufio.NewScanner(bytes.NewReader(metrics))
	lines.Buffer(nil, len(metrics)+1)
	for lines.Scan() {
		if match := failOpen.FindSubmatch(lines.Bytes()); match != nil {
			if value, err := strconv.ParseFloat(string(match[2]), 64); err == nil && value >= 1 {
				ignored[string(match[1])] += int(value)
			}
		}
	}
	return ignored
}

// lenientWebhooks returns the names of a component's webhooks whose failures the API server ignores.
func lenientWebhooks(ctx context.Context, c *apply.Cluster, name string) ([]string, error) {
	mutating, validating := &admissionregistrationv1.MutatingWebhookConfigurationList{}, &admissionregistrationv1.ValidatingWebhookConfigurationList{}
	if err := errors.Join(c.Client().List(ctx, mutating, c.LabelsOf(name)), c.Client().List(ctx, validating, c.LabelsOf(name))); err != nil {
		return nil, fmt.Errorf("listing the webhooks of %s: %w", name, err)
	}
	var names []string
	note := func(name string, policy *admissionregistrationv1.FailurePolicyType) {
		if policy != nil && *policy == admissionregistrationv1.Ignore {
			names = append(names, name)
		}
	}
	for _, configuration := range mutating.Items {
		for _, w := range configuration.Webhooks {
			note(w.Name, w.FailurePolicy)
		}
	}
	for _, configuration := range validating.Items {
		for _, w := range configuration.Webhooks {
			note(w.Name, w.FailurePolicy)
		}
	}
	return names, nil
}
