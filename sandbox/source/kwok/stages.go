package main

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kwok/pkg/apis/internalversion"
)

// unpullable begins the names of images that can't be pulled: the host is one that never exists (RFC 6761).
const unpullable = "invalid.example/"

// Questions that stages ask of a Pod or node, in jq.
const (
	deleting = `.metadata.deletionTimestamp != null`
	running  = `.status.phase == "Running"`
	removing = `.metadata.deletionGracePeriodSeconds == 0` // It is gone, or waits for finalizers.
	finished = `.status.phase == "Succeeded" or .status.phase == "Failed"`
	// observed tells whether the status answers the present spec. An image that is changed in place makes a new generation.
	observed = `.status.observedGeneration == .metadata.generation`
	// served is no longer true of Pods that the controller manager called not ready, as it does while the node is silent.
	served  = observed + ` and ` + ready
	ofJob   = `any(.metadata.ownerReferences[]?; .kind == "Job")`
	refused = `any(.spec.containers[], .spec.initContainers[]?; (.image // "") | startswith("` + unpullable + `"))`
	failed  = `any(.status.containerStatuses[]?, .status.initContainerStatuses[]?; .state.waiting.reason == "` + reasonPullFailed + `")`
	ready   = `any(.status.conditions[]?; .type == "Ready" and .status == "True")`
)

// The delays are short, because tests wait for them, and longer than a watcher needs to see what was before.
const (
	backOffDelay  = 2 * time.Second
	completeDelay = 500 * time.Millisecond
)

// stages returns what happens to the node and to Pods. No two stages of a kind match the same object at the same time, or
// kwok would choose one by chance.
func stages() map[internalversion.StageResourceRef][]*internalversion.Stage {
	return map[internalversion.StageResourceRef][]*internalversion.Stage{
		{APIGroup: "v1", Kind: "Node"}: {
			// Also after the controller manager called it unknown, because the machine slept.
			stage("node-ready", 0, when(no(ready)), report("NodeReady")),
		},
		{APIGroup: "v1", Kind: "Pod"}: {
			stage("pod-start", 0, when(no(deleting), no(finished), no(served), no(refused)),
				report("PodStarted"),
				event(corev1.EventTypeNormal, "Started", "Containers are reported as started; nothing runs")),
			stage("pod-pull-failed", 0, when(no(deleting), no(finished), no(observed), yes(refused)),
				report("PodPullFailed"),
				event(corev1.EventTypeWarning, "Failed", "Failed to pull an image: "+pullMessage)),
			stage("pod-back-off", backOffDelay, when(no(deleting), no(finished), yes(observed), yes(failed)),
				report("PodBackOff"),
				event(corev1.EventTypeNormal, "BackOff", "Back-off pulling an image of "+unpullable)),
			stage("pod-complete", completeDelay, when(no(deleting), yes(running), yes(served), no(refused), yes(ofJob)),
				report("PodCompleted")),
			// A Job counts a Pod that was deleted as failed only when it says so itself.
			stage("pod-stop", 0, when(yes(deleting), yes(running)),
				report("PodStopped"),
				event(corev1.EventTypeNormal, "Killing", "Containers are reported as stopped")),
			stage("pod-remove", 0, when(yes(deleting), no(running), no(removing)),
				internalversion.StageStep{Delete: true}),
		},
	}
}

func stage(name string, delay time.Duration, selector *internalversion.StageSelector, steps ...internalversion.StageStep) *internalversion.Stage {
	s := &internalversion.Stage{Spec: internalversion.StageSpec{Selector: selector, Steps: steps}}
	s.Name = name
	if delay > 0 {
		s.Spec.Delay = &internalversion.StageDelay{DurationMilliseconds: new(delay.Milliseconds())}
	}
	return s
}

func when(expressions ...internalversion.MatchExpression) *internalversion.StageSelector {
	return &internalversion.StageSelector{MatchExpressions: expressions}
}

func yes(question string) internalversion.MatchExpression {
	return answer(question, internalversion.SelectorOpIn)
}

func no(question string) internalversion.MatchExpression {
	return answer(question, internalversion.SelectorOpNotIn)
}

func answer(question string, operator internalversion.SelectorOperator) internalversion.MatchExpression {
	return internalversion.MatchExpression{JQ: &internalversion.SelectorJQ{Key: question, Operator: operator, Values: []string{"true"}}}
}

// report writes the status that a function of [statuses] returns.
func report(function string) internalversion.StageStep {
	return internalversion.StageStep{Patch: &internalversion.StagePatch{
		Subresource: "status", Root: "status", Template: "{{ " + function + " . }}",
	}}
}

func event(kind, reason, message string) internalversion.StageStep {
	return internalversion.StageStep{Event: &internalversion.StageEvent{Type: kind, Reason: reason, Message: message}}
}
