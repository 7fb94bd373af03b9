package workload

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/cause"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/hint"
)

const (
	// diagnosisTimeout limits a look at Pods, also after the context of a wait has ended.
	diagnosisTimeout = 5 * time.Second
	// troubleInterval is the pause between two looks at Pods during a wait.
	troubleInterval = 2 * time.Second
	// loopBackOff is the pause of the kubelet from which crashes are a loop: after the third one in
	// a row.
	loopBackOff = 40 * time.Second
)

// Explain calls run, and reports meanwhile why Pods of a component do not become ready. It ends the
// context of run if they cannot recover: a container of the component, or for the sample of the
// operator, crashes again and again or has an image that no node can have, or a Pod is stuck for
// stuckLimit. The error of run then explains the Pods too. report may be nil.
func Explain(ctx context.Context, c *apply.Cluster, name string, report func(string, ...any), run func(context.Context) error) error {
	running, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		said := ""
		var patience patience
		var before []trouble                                                                                      // A container may have crashed before for a reason that has gone.
		_ = wait.PollUntilContextCancel(running, troubleInterval, true, func(ctx context.Context) (bool, error) { // It ends with running.
			found := troubles(ctx, c, name)
			if before == nil {
				before = append([]trouble{{}}, found...)
			}
			text := describe(found, func(t trouble) bool { return t.stuck })
			hopeless := describe(found, func(t trouble) bool {
				crashedBefore := t.crash != "" && slices.ContainsFunc(before, func(b trouble) bool { return b.crash == t.crash })
				return t.hopeless && !crashedBefore && isOfCurrent(ctx, c, t.pod)
			})
			if text != said && text != "" && report != nil {
				report("%s", strings.ReplaceAll(text, "\n", "; "))
			}
			said = text
			var end error
			if hopeless != "" {
				end = &hopelessError{fmt.Sprintf("%s; see %s", hopeless, hint.Run("logs", component.Operator, "--previous"))}
			} else {
				end = stuckError(ctx, c, name, patience.exhausted(time.Now(), found))
			}
			if end != nil {
				cancel(end)
			}
			return end != nil, nil
		})
	}()
	err := run(running)
	cancel(nil)
	<-watched
	if hopeless := (*hopelessError)(nil); err != nil && errors.As(context.Cause(running), &hopeless) {
		return hopeless
	}
	if err != nil {
		err = errors.Join(err, PodTrouble(ctx, c, name))
	}
	return err
}

// hopelessError means that Pods cannot recover.
type hopelessError struct{ text string }

func (e *hopelessError) Error() string { return e.text }

// PodTrouble explains why Pods of a component are not ready, with one line for each Pod. It returns
// nil if all Pods are ready or no reason is known. It works although ctx has ended, for at most 5 s.
func PodTrouble(ctx context.Context, c *apply.Cluster, name string) error {
	if text := describe(troubles(context.WithoutCancel(ctx), c, name), func(trouble) bool { return true }); text != "" {
		return errors.New(text)
	}
	return nil
}

// described is the maximum number of Pods in a message.
const described = 5

func describe(troubles []trouble, has func(trouble) bool) string {
	var lines []string
	more := 0
	for _, t := range troubles {
		switch {
		case !has(t):
		case len(lines) < described:
			lines = append(lines, t.text)
		default:
			more++
		}
	}
	if more > 0 {
		lines = append(lines, "and "+count(more, "more Pod"))
	}
	return strings.Join(lines, "\n")
}

// troubles returns the troubles of a component's Pods. For the sample these are the Pods that its
// operator created for it, and the Pods of the operator. A request that fails adds nothing.
func troubles(ctx context.Context, c *apply.Cluster, name string) []trouble {
	ctx, cancel := context.WithTimeout(ctx, diagnosisTimeout)
	defer cancel()
	from := name
	var found []trouble
	if name == component.Sample {
		from = component.Operator
		found = sampleTroubles(ctx, c)
	}
	pods, err := Pods(ctx, c, from)
	if err != nil {
		return found
	}
	return append(found, troublesOf(ctx, c, pods)...)
}

func troublesOf(ctx context.Context, c *apply.Cluster, pods []corev1.Pod) []trouble {
	var found []trouble
	for i := range pods {
		t := troubleOf(&pods[i])
		if t.text == "" {
			continue
		}
		if t.container != "" {
			t.text += lastLogLine(ctx, c, &pods[i], t.container)
		}
		t.text, t.pod = fmt.Sprintf("pod %s/%s: %s", pods[i].Namespace, pods[i].Name, t.text), &pods[i]
		found = append(found, t)
	}
	return found
}

// sampleTroubles returns the troubles of Pods whose owners lead to an object of the sample. They may
// pass, because a Pod can wait for another one.
func sampleTroubles(ctx context.Context, c *apply.Cluster) []trouble {
	samples := map[types.UID]bool{}
	var namespaces []string
	for _, sample := range c.Subject().Samples {
		live := &unstructured.Unstructured{}
		live.SetGroupVersionKind(sample.GroupVersionKind())
		if c.Client().Get(ctx, client.ObjectKeyFromObject(sample), live) == nil {
			samples[live.GetUID()] = true
			namespaces = append(namespaces, live.GetNamespace())
		}
	}
	slices.Sort(namespaces)
	var found []trouble
	for _, namespace := range slices.Compact(namespaces) {
		pods := &corev1.PodList{}
		if c.Client().List(ctx, pods, client.InNamespace(namespace)) != nil {
			continue
		}
		pods.Items = slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool {
			return troubleOf(&p).text == "" || !leadsTo(ctx, c, p.Namespace, p.OwnerReferences, samples)
		})
		for _, t := range troublesOf(ctx, c, pods.Items) {
			t.hopeless = false
			found = append(found, t)
		}
	}
	return found
}

// SampleStarts reports whether a Pod that the operator created for the sample is starting: it is not
// ready yet, and not stuck. A request that fails counts as no Pod.
func SampleStarts(ctx context.Context, c *apply.Cluster) bool {
	ctx, cancel := context.WithTimeout(ctx, diagnosisTimeout)
	defer cancel()
	return slices.ContainsFunc(sampleTroubles(ctx, c), func(t trouble) bool { return !t.stuck })
}

// leadsTo reports whether owners are among some objects, or their owners are.
func leadsTo(ctx context.Context, c *apply.Cluster, namespace string, owners []metav1.OwnerReference, wanted map[types.UID]bool) bool {
	return slices.ContainsFunc(owners, func(r metav1.OwnerReference) bool {
		if wanted[r.UID] {
			return true
		}
		owner := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: r.APIVersion, Kind: r.Kind}}
		err := c.Client().Get(ctx, types.NamespacedName{Namespace: namespace, Name: r.Name}, owner)
		return err == nil && owner.UID == r.UID && leadsTo(ctx, c, namespace, owner.OwnerReferences, wanted)
	})
}

// trouble is the reason why a Pod is not ready.
type trouble struct {
	pod  *corev1.Pod
	text string // empty if the Pod is ready
	// container is the container that exited or fails its probe: its log may contain the cause.
	container string
	// crash identifies the run of a container that exited.
	crash string
	// stuck is false for the normal stages of a start. hopeless is true if waiting does not help.
	stuck, hopeless bool
}

func troubleOf(pod *corev1.Pod) trouble {
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		ended := s.State.Terminated
		if ended == nil {
			ended = s.LastTerminationState.Terminated
		}
		switch waiting := s.State.Waiting; {
		case s.Ready || s.State.Terminated != nil && s.State.Terminated.ExitCode == 0:
			continue
		case ended != nil:
			t := trouble{container: s.Name, crash: ended.ContainerID, stuck: true}
			reason := ended.Reason
			if waiting != nil {
				reason = waiting.Reason
				t.hopeless = isLoop(waiting)
			}
			t.text = fmt.Sprintf("container %s: %s: exit code %d", s.Name, reason, ended.ExitCode)
			return t
		case waiting != nil && waiting.Reason != "":
			text := strings.TrimSuffix(fmt.Sprintf("container %s: %s: %s", s.Name, waiting.Reason, waiting.Message), ": ")
			return trouble{text: text, stuck: !slices.Contains(starting, waiting.Reason), hopeless: slices.Contains(imageless, waiting.Reason)}
		case s.State.Running != nil:
			return trouble{text: fmt.Sprintf("container %s: running, readiness probe not passed", s.Name), container: s.Name}
		}
	}
	if reason, message := unscheduled(pod); reason != "" {
		return trouble{text: reason + ": " + message, stuck: true}
	}
	if len(pod.Status.ContainerStatuses) == 0 && pod.Status.Phase != corev1.PodSucceeded {
		return trouble{text: "phase " + string(pod.Status.Phase) + ", no container yet"}
	}
	return trouble{}
}

// Reasons for which a container waits.
const crashLoop = "CrashLoopBackOff"

var (
	starting  = []string{"ContainerCreating", "PodInitializing"}
	imageless = []string{"ErrImageNeverPull", "InvalidImageName"}
)

// backOff is the message of the kubelet about a container that crashed. Its pause starts at 10 s,
// doubles with each crash, and starts again after a run of ten minutes.
var backOff = regexp.MustCompile(`^back-off (\S+) restarting`)

func isLoop(waiting *corev1.ContainerStateWaiting) bool {
	match := backOff.FindStringSubmatch(waiting.Message)
	if waiting.Reason != crashLoop || match == nil {
		return false
	}
	pause, err := time.ParseDuration(match[1])
	return err == nil && pause >= loopBackOff
}

// lastLogLine returns the line of a container's log that explains its trouble, as a suffix for a
// message, or "".
func lastLogLine(ctx context.Context, c *apply.Cluster, pod *corev1.Pod, container string) string {
	options := &corev1.PodLogOptions{Container: container, TailLines: new(int64(100)), LimitBytes: new(int64(64 << 10))}
	raw, err := c.Clientset().CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, options).DoRaw(ctx)
	if err != nil {
		return ""
	}
	if line := cause.Of(string(raw)); line != "" {
		text := ": log: " + line
		if remedy := cause.Remedy(line); remedy != "" {
			text += "; " + remedy
		}
		return text
	}
	return ""
}
