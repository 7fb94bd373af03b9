package main

import (
	"slices"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/companion"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/graph"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
)

// Limits of steps. A step may have to compile: a first build of everything takes 20 minutes on two
// cores, and builds wait for each other.
const (
	buildLimit = 35 * time.Minute
	stepLimit  = 10 * time.Minute
)

// prepare is the first step of a provider.
const prepare = "prepare"

// choice lists the first steps of `sandbox up`: they select the kind of cluster.
func choice(s *lifecycle.Sandbox) []graph.Step {
	steps := []graph.Step{{Name: "this machine", Limit: time.Minute, Run: s.CheckMachine}}
	before := []string{"this machine"}
	if s.UseBundle() {
		steps = append(steps, graph.Step{Name: "bundle", Limit: 5 * time.Minute, Run: s.OpenBundle, Needs: before})
		before = []string{"bundle"}
	}
	return append(steps, graph.Step{Name: "kind of cluster", Limit: 5 * time.Minute, Run: s.ChooseCluster, Needs: before})
}

// plan lists the other steps of `sandbox up`, on every kind of cluster: fetch, deliver and start each
// component of the table. Independent steps run at the same time.
func plan(s *lifecycle.Sandbox) []graph.Step {
	steps := []graph.Step{{Name: prepare, Limit: time.Minute, Run: s.Prepare}}
	for _, c := range component.On(s.Kind()) {
		steps = append(steps, phases(s, c)...)
	}
	if gated, ok := s.Gated(); ok {
		delivered := []string{"deliver " + component.ControlPlane}
		steps = append(steps,
			graph.Step{Name: "node runs", Limit: stepLimit, Run: gated.AwaitNode, Needs: delivered},
			graph.Step{Name: "API server", Limit: stepLimit, Run: gated.AwaitAPIServer, Needs: delivered})
	}
	// It must have listed the objects before the sample exists.
	steps = append(steps, graph.Step{Name: companion.Name, Limit: time.Minute, Run: s.Observe, Needs: []string{component.ControlPlane, component.Jaeger}})
	steps = append(steps, resetPoint(s))
	return graph.Planned(steps)
}

// resetPoint keeps the objects to which `sandbox reset` returns, beside the start of the sample, which is
// not one of them.
func resetPoint(s *lifecycle.Sandbox) graph.Step {
	return graph.Step{Name: "reset point", Limit: time.Minute, Run: s.KeepResetPoint, Needs: []string{component.Operator, component.Node, component.Jaeger}}
}

func phases(s *lifecycle.Sandbox, c component.Component) []graph.Step {
	fetch, deliver := "fetch "+c.Name, "deliver "+c.Name
	started := slices.Concat([]string{prepare, fetch, deliver}, c.Needs)
	delivered := []string{fetch}
	if c.Name == component.Sample {
		started = append(started, companion.Name)
	}
	switch _, gated := s.Gated(); {
	case c.Name == component.ControlPlane && s.TracesControlPlane():
		started = append(started, component.NamesOutside(s.Kind())...) // Their ports are certain only then.
	case c.Name == component.ControlPlane || c.IsOutside(s.Kind()):
	case gated:
		delivered, started = append(delivered, "node runs"), append(started, "API server")
	default:
		delivered, started = append(delivered, component.ControlPlane), append(started, component.ControlPlane)
	}
	var steps []graph.Step
	if c.IsFetched(s.Kind()) {
		steps = append(steps, graph.Step{Name: fetch, Limit: buildLimit, Run: s.Fetch(c), Needs: []string{prepare}})
	}
	if c.IsDelivered(s.Kind()) {
		steps = append(steps, graph.Step{Name: deliver, Limit: stepLimit, Run: s.Deliver(c), Needs: delivered})
	}
	return append(steps, graph.Step{Name: c.Name, Limit: stepLimit, Run: s.Start(c), Needs: started})
}

// fetches lists the steps of `sandbox build` and `sandbox bundle create`: the fetch of each
// component.
func fetches(s *lifecycle.Sandbox) []graph.Step {
	var steps []graph.Step
	for _, c := range component.On(s.Kind()) {
		if c.IsFetched(s.Kind()) {
			steps = append(steps, graph.Step{Name: "fetch " + c.Name, Limit: buildLimit, Run: s.Fetch(c)})
		}
	}
	return steps
}

// loadPlan lists the steps of `sandbox load operator`, for a sandbox that is up.
func loadPlan(s *lifecycle.Sandbox, sample bool) []graph.Step {
	steps := append([]graph.Step{{Name: prepare, Limit: time.Minute, Run: s.AttachToLoad}}, phases(s, component.Named(component.Operator))...)
	if sample {
		s.RenewSample = true
		steps = append(steps, graph.Step{Name: component.Sample, Limit: stepLimit, Run: s.Start(component.Named(component.Sample)), Needs: []string{component.Operator}})
	}
	return graph.Planned(append(steps, resetPoint(s)))
}

// samplePlan lists the last steps of `sandbox reset`, for a sandbox whose components are ready.
func samplePlan(s *lifecycle.Sandbox) []graph.Step {
	return []graph.Step{{Name: component.Sample, Limit: stepLimit, Run: s.Start(component.Named(component.Sample))}}
}
