package main

import (
	"time"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/up"
)

// build is the limit of a step that may have to compile: a first build of everything takes 20 minutes on two cores, and
// builds wait for each other.
const build = 35 * time.Minute

// choice are the first steps of `sandbox up`, on which the others depend.
func choice(r *up.Run) []up.Step {
	steps := []up.Step{{Name: "this machine", Limit: time.Minute, Run: r.CheckMachine}}
	before := []string{"this machine"}
	if r.UseBundle() {
		steps = append(steps, up.Step{Name: "bundle", Limit: 5 * time.Minute, Run: r.OpenBundle, Needs: before})
		before = []string{"bundle"}
	}
	return append(steps, up.Step{Name: "kind of cluster", Limit: 5 * time.Minute, Run: r.ChooseCluster, Needs: before})
}

// plan is the rest of `sandbox up`, whole: what it does, in which order, and how long it waits. Steps that need nothing of
// each other run at the same time.
func plan(r *up.Run) []up.Step {
	if r.Embedded() {
		return embeddedPlan(r)
	}
	if r.Existing() {
		return existingPlan(r)
	}
	return kindPlan(r)
}

// kindPlan is for a node in a container engine.
func kindPlan(r *up.Run) []up.Step {
	return []up.Step{
		{Name: "images", Limit: time.Minute, Run: r.ChooseImages},

		{Name: "node image", Limit: build, Run: r.GetNodeImage, Needs: []string{"images"}},
		{Name: "cert-manager images", Limit: build, Run: r.GetCertManagerImages, Needs: []string{"images"}},
		{Name: "Jaeger image", Limit: build, Run: r.GetJaegerImage, Needs: []string{"images"}},
		{Name: "operator image", Limit: build, Run: r.GetOperatorImages, Needs: []string{"images"}},

		// The node takes images, and its API server objects, while kind still makes the rest of the cluster.
		{Name: "cluster", Limit: 10 * time.Minute, Run: r.EnsureCluster, Needs: []string{"node image"}},
		{Name: "node", Limit: 10 * time.Minute, Run: r.AwaitNode, Needs: []string{"node image"}},
		{Name: "API server", Limit: 10 * time.Minute, Run: r.AwaitAPIServer, Needs: []string{"node image"}},
		{Name: "images in the node", Limit: 5 * time.Minute, Run: r.LoadImages, Needs: []string{"node", "cert-manager images", "Jaeger image"}},
		{Name: "operator in the node", Limit: 5 * time.Minute, Run: r.LoadOperator, Needs: []string{"node", "operator image"}},

		{Name: "cert-manager", Limit: 5 * time.Minute, Run: r.InstallCertManager, Needs: []string{"API server", "images in the node"}},
		{Name: "Jaeger", Limit: 5 * time.Minute, Run: r.InstallJaeger, Needs: []string{"API server", "images in the node"}},
		{Name: "operator", Limit: 5 * time.Minute, Run: r.InstallOperator, Needs: []string{"cluster", "operator in the node", "cert-manager", "Jaeger"}},
		{Name: "sample", Limit: 5 * time.Minute, Run: r.ApplySample, Needs: []string{"operator"}},
	}
}

// existingPlan is for a cluster that was there before: what it has of its own is left alone.
func existingPlan(r *up.Run) []up.Step {
	return []up.Step{
		{Name: "cluster", Limit: time.Minute, Run: r.TakeCluster},
		{Name: "images", Limit: time.Minute, Run: r.ChooseImages, Needs: []string{"cluster"}},

		{Name: "cert-manager and Jaeger images", Limit: build, Run: r.GetImagesForExisting, Needs: []string{"images"}},
		{Name: "operator image", Limit: build, Run: r.GetOperatorForExisting, Needs: []string{"images"}},
		{Name: "images in the cluster", Limit: 10 * time.Minute, Run: r.DeliverImages, Needs: []string{"cert-manager and Jaeger images"}},
		{Name: "operator in the cluster", Limit: 5 * time.Minute, Run: r.DeliverOperator, Needs: []string{"operator image"}},

		{Name: "cert-manager", Limit: 5 * time.Minute, Run: r.InstallCertManager, Needs: []string{"images in the cluster"}},
		{Name: "Jaeger", Limit: 5 * time.Minute, Run: r.InstallJaeger, Needs: []string{"images in the cluster"}},
		{Name: "operator", Limit: 5 * time.Minute, Run: r.InstallOperator, Needs: []string{"operator in the cluster", "cert-manager", "Jaeger"}},
		{Name: "sample", Limit: 5 * time.Minute, Run: r.ApplySample, Needs: []string{"operator"}},
	}
}

// embeddedPlan is for processes of this machine.
func embeddedPlan(r *up.Run) []up.Step {
	before := []string{"Kubernetes programs"}
	if r.TracesControlPlane() {
		before = append(before, "Jaeger") // Its port is certain only then.
	}
	return []up.Step{
		{Name: "ports, certificates", Limit: time.Minute, Run: r.PrepareProcesses},

		{Name: "Kubernetes programs", Limit: build, Run: r.GetControlPlane, Needs: []string{"ports, certificates"}},
		{Name: "cert-manager programs", Limit: build, Run: r.GetCertManager, Needs: []string{"ports, certificates"}},
		{Name: "Jaeger program", Limit: build, Run: r.GetJaeger, Needs: []string{"ports, certificates"}},
		{Name: "kwok program", Limit: build, Run: r.GetKwok, Needs: []string{"ports, certificates"}},
		{Name: "operator program", Limit: build, Run: r.GetOperator, Needs: []string{"ports, certificates"}},

		{Name: "Jaeger", Limit: 2 * time.Minute, Run: r.StartJaeger, Needs: []string{"Jaeger program"}},
		{Name: "control plane", Limit: 2 * time.Minute, Run: r.StartControlPlane, Needs: before},
		{Name: "node", Limit: 2 * time.Minute, Run: r.StartNode, Needs: []string{"control plane", "kwok program"}},
		{Name: "kinds", Limit: time.Minute, Run: r.DefineKinds, Needs: []string{"control plane", "cert-manager programs", "operator program"}},
		{Name: "cert-manager", Limit: 2 * time.Minute, Run: r.StartCertManager, Needs: []string{"kinds"}},
		// Not sooner: an Issuer that is made before cert-manager's webhook answers is looked at again only after 5 seconds.
		{Name: "operator", Limit: 2 * time.Minute, Run: r.StartOperator, Needs: []string{"cert-manager", "Jaeger", "operator program"}},
		{Name: "sample", Limit: 2 * time.Minute, Run: r.ApplySampleToProcesses, Needs: []string{"operator", "node"}},
	}
}

// loadPlan is `sandbox load operator`, whole: for a cluster that is up.
func loadPlan(r *up.Run, sample bool) []up.Step {
	steps := []up.Step{{Name: "sandbox", Limit: time.Minute, Run: r.AttachToLoad}}
	switch r.Record.Cluster {
	case component.Embedded:
		steps = append(steps,
			up.Step{Name: "operator program", Limit: build, Run: r.GetOperator, Needs: []string{"sandbox"}},
			up.Step{Name: "kinds", Limit: time.Minute, Run: r.DefineOperatorKinds, Needs: []string{"operator program"}},
			up.Step{Name: "operator", Limit: 2 * time.Minute, Run: r.StartOperator, Needs: []string{"kinds"}})
	case component.Existing:
		steps = append(steps,
			up.Step{Name: "operator image", Limit: build, Run: r.GetOperatorForExisting, Needs: []string{"sandbox"}},
			up.Step{Name: "operator in the cluster", Limit: 5 * time.Minute, Run: r.DeliverOperator, Needs: []string{"operator image"}},
			up.Step{Name: "operator", Limit: 5 * time.Minute, Run: r.InstallOperator, Needs: []string{"operator in the cluster"}})
	default:
		steps = append(steps,
			up.Step{Name: "operator image", Limit: build, Run: r.GetOperatorImages, Needs: []string{"sandbox"}},
			up.Step{Name: "operator in the node", Limit: 5 * time.Minute, Run: r.LoadOperator, Needs: []string{"operator image"}},
			up.Step{Name: "operator", Limit: 5 * time.Minute, Run: r.InstallOperator, Needs: []string{"operator in the node"}})
	}
	if sample {
		steps = append(steps, up.Step{Name: "sample", Limit: 2 * time.Minute, Run: r.RenewSample, Needs: []string{"operator"}})
	}
	return steps
}
