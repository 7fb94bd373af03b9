package main

import (
	"time"

	"github.com/operator-tracing/sandbox/sandbox/up"
)

// build is the limit of a step that may have to compile: a first build of everything takes 20 minutes on two cores, and
// builds wait for each other.
const build = 35 * time.Minute

// plan is `sandbox up`, whole: what it does, in which order, and how long it waits. Steps that need nothing of each
// other run at the same time.
func plan(r *up.Run) []up.Step {
	return []up.Step{
		{Name: "container engine", Limit: 5 * time.Minute, Run: r.FindEngine},
		{Name: "images", Limit: time.Minute, Run: r.ChooseImages, Needs: []string{"container engine"}},

		{Name: "node image", Limit: build, Run: r.GetNodeImage, Needs: []string{"images"}},
		{Name: "cert-manager images", Limit: build, Run: r.GetCertManagerImages, Needs: []string{"images"}},
		{Name: "Jaeger image", Limit: build, Run: r.GetJaegerImage, Needs: []string{"images"}},
		{Name: "operator image", Limit: build, Run: r.BuildOperator, Needs: []string{"images"}},

		{Name: "cluster", Limit: 10 * time.Minute, Run: r.EnsureCluster, Needs: []string{"node image"}},
		{Name: "cert-manager", Limit: 5 * time.Minute, Run: r.InstallCertManager, Needs: []string{"cluster", "cert-manager images"}},
		{Name: "Jaeger", Limit: 5 * time.Minute, Run: r.InstallJaeger, Needs: []string{"cluster", "Jaeger image"}},
		{Name: "operator", Limit: 5 * time.Minute, Run: r.InstallOperator, Needs: []string{"operator image", "cert-manager", "Jaeger"}},
		{Name: "sample Head", Limit: 5 * time.Minute, Run: r.ApplySample, Needs: []string{"operator"}},
	}
}
