package main

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kwok/pkg/apis/internalversion"
)

// unpullable is the prefix of images that cannot be pulled. RFC 6761 guarantees that the host never
// exists.
const unpullable = "invalid.example/"

// jq expressions by which a stage selects a Pod or node.
const (
	deleting = `.metadata.deletionTimestamp != null`
	running  = `.status.phase == "Running"`
	removing = `.metadata.deletionGracePeriodSeconds == 0` // The Pod is deleted or waits for finalizers.
	finished = `.status.phase == "Succeeded" or .status.phase == "Failed"`
	// observed is true if the status describes the current spec. A change of an image increments
	// the generation.
	observed = `.status.observedGeneration == .metadata.generation`
	// served is false for a Pod that the controller manager has marked as not ready. It does so if
	// the node's lease has expired.
	served  = observed + ` and ` + ready
	ofJob   = `any(.metadata.ownerReferences[]?; .kind == "Job")`
	refused = `any(.spec.containers[], .spec.initContainers[]?; (.image // "") | startswith("` + unpullable + `"))`
	failed  = `any(.status.containerStatuses[]?, .status.initContainerStatuses[]?; .state.waiting.reason == "` + reasonPullFailed + `")`
	ready   = `any(.status.conditions[]?; .type == "Ready" and .status == "True")`
)

// The delays are short because tests wait for them, but long enough for a watch to see the earlier
// state.
const (
	backOffDelay  = 2 * time.Second
	completeDelay = 500 * time.Millisecond
)

// stages returns the stages of the node and of Pods. No two stages of a kind may match the same
// object at the same time, because kwok would then select one at random.
func stages() map[internalversion.StageResourceRef][]*internalversion.Stage {
	return map[internalversion.StageResourceRef][]*internalversion.Stage{
		{APIGroup: "v1", Kind: "Node"}: {
			// This stage also runs after the controller manager has set the condition Ready to
			// Unknown, for example because the machine was suspended.
			stage("node-ready", 0, when(no(ready)), report("NodeReady")),
		},
		{APIGroup: "v1", Kind: "Pod"}: {
			stage("pod-start", 0, when(no(deleting), no(finished), no(served), no(refused)),
				report("PodStarted"),
				event(corev1.EventTypeNormal, "Started", "Containers are reported as started, but no container runs")),
			stage("pod-pull-failed", 0, when(no(deleting), no(finished), no(observed), yes(refused)),
				report("PodPullFailed"),
				event(corev1.EventTypeWarning, "Failed", "Failed to pull an image: "+pullMessage)),
			stage("pod-back-off", backOffDelay, when(no(deleting), no(finished), yes(observed), yes(failed)),
				report("PodBackOff"),
				event(corev1.EventTypeNormal, "BackOff", "Back-off pulling an image of "+unpullable)),
			stage("pod-complete", completeDelay, when(no(deleting), yes(running), yes(served), no(refused), yes(ofJob)),
				report("PodCompleted")),
			// The Job controller counts a deleted Pod as failed only if its phase is Failed.
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

// yes matches an object for which the jq expression is true.
func yes(expression string) internalversion.MatchExpression {
	return match(expression, internalversion.SelectorOpIn)
}

// no matches an object for which the jq expression is not true.
func no(expression string) internalversion.MatchExpression {
	return match(expression, internalversion.SelectorOpNotIn)
}

func match(expression string, operator internalversion.SelectorOperator) internalversion.MatchExpression {
	return internalversion.MatchExpression{JQ: &internalversion.SelectorJQ{Key: expression, Operator: operator, Values: []string{"true"}}}
}

// report writes the status that the named function of [statuses.functions] returns.
func report(function string) internalversion.StageStep {
	return internalversion.StageStep{Patch: &internalversion.StagePatch{
		Subresource: "status", Root: "status", Template: "{{ " + function + " . }}",
	}}
}

func event(kind, reason, message string) internalversion.StageStep {
	return internalversion.StageStep{Event: &internalversion.StageEvent{Type: kind, Reason: reason, Message: message}}
}
