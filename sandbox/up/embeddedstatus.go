package up

import (
	"context"
	"slices"
	"strings"
	"time"

	cluster "github.com/operator-tracing/sandbox/sandbox/embedded"
	"github.com/operator-tracing/sandbox/sandbox/image"
	"github.com/operator-tracing/sandbox/sandbox/install"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// parts are the components of an embedded cluster, as status lists them, with their processes.
var parts = []struct {
	name      string
	processes []string
}{
	{install.ControlPlaneName, []string{cluster.Etcd, cluster.APIServer, cluster.ControllerManager, cluster.Scheduler}},
	{install.NodeName, []string{cluster.Kwok}},
	{install.CertManagerName, []string{cluster.CertManagerController, cluster.CertManagerCAInjector, cluster.CertManagerWebhook}},
	{install.JaegerName, []string{cluster.Jaeger}},
	{install.OperatorName, []string{cluster.Operator}},
	{install.SampleName, nil},
}

// askLimit bounds all that status asks of a cluster: one that hangs must not keep it from saying so.
const askLimit = 5 * time.Second

// embeddedStatus looks at processes first: what they serve can only be asked where the API server answers.
func (r *Run) embeddedStatus(ctx context.Context, s Status) (Status, error) {
	addresses := r.Addresses()
	s.Cluster, s.Images, s.Kubeconfig, s.Jaeger = state.Embedded, r.Record.Images, r.Dir.Kubeconfig(), &addresses
	running, err := r.processes.Status()
	if err != nil {
		return s, err
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	alive := r.processes.Alive(ctx)
	var missing []string
	for _, part := range parts {
		c := processesOf(part.name, part.processes, running)
		if alive == nil {
			r.askService(ctx, &c)
		} else if c.Message == "" {
			c.Message = "the API server does not answer: " + alive.Error()
		}
		c.Ready = c.Message == ""
		if !c.Ready && part.name != install.SampleName {
			missing = append(missing, part.name)
		}
		s.Components = append(s.Components, c)
	}
	if alive != nil && !slices.ContainsFunc(running, func(p cluster.Status) bool { return p.PID != 0 }) {
		s.Message = "none of its processes runs; `make sandbox-up` repairs it" // After a reboot, for one.
		return s, nil
	}
	if target, err := r.Target(); alive == nil && err == nil {
		s.Node, _ = nodeStatus(ctx, target, "") // A node that is missing is named by its component.
	}
	s.judge(missing)
	return s, nil
}

// processesOf is a component with its processes, and why one of them does not run.
func processesOf(name string, wanted []string, running []cluster.Status) Component {
	c := Component{Name: name}
	var dead, digests []string
	for _, p := range running {
		if !slices.Contains(wanted, p.Name) {
			continue
		}
		shown := Process{Name: p.Name, PID: p.PID, Log: p.Log}
		if digest := image.KeyOfProgram(p.Program); digest != "" && !slices.Contains(digests, digest) {
			digests = append(digests, digest)
		}
		if p.Message != "" {
			dead = append(dead, p.Name+" "+p.Message)
		}
		if p.PID != 0 {
			shown.Since = &p.Since
			if c.Since == nil || p.Since.After(*c.Since) {
				c.Since = &p.Since
			}
		}
		c.Processes = append(c.Processes, shown)
	}
	c.Digest = strings.Join(digests, " ")
	c.Message = strings.Join(dead, "\n")
	return c
}

// askService completes a component by its version, and by what is wrong with its service.
func (r *Run) askService(ctx context.Context, c *Component) {
	target, err := r.Target()
	if err == nil {
		c.Version, err = r.versionOf(ctx, target, c.Name)
	}
	if err == nil && (c.Name == install.SampleName || c.Name == install.NodeName) {
		var found install.Status
		if found, err = install.StatusOf(ctx, target, c.Name); err == nil && found.Installed && c.Since == nil {
			c.Since = &found.Since
		}
	}
	if err == nil && c.Message == "" {
		err = install.Serves(ctx, target, c.Name)
	}
	if err == nil && c.Name == install.JaegerName {
		err = r.processes.JaegerAnswers(ctx) // The API server knows nothing of it.
	}
	if err != nil && c.Message == "" {
		c.Message = err.Error()
	}
}

func (r *Run) versionOf(ctx context.Context, target *install.Cluster, name string) (string, error) {
	switch name {
	case install.JaegerName:
		return "v" + image.JaegerVersion, nil
	case install.ControlPlaneName:
		return r.processes.Version(ctx)
	default:
		return install.VersionOf(ctx, target, name)
	}
}
