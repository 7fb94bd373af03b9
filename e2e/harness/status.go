package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

// Status is the part of `sandbox status -o json` that the tests need.
type Status struct {
	Name       string `json:"name"`
	State      string `json:"state"`
	Message    string `json:"message"` // The reason why the sandbox is not up.
	Cluster    string `json:"cluster"`
	Provider   string `json:"provider"`
	Images     string `json:"images"`
	Kubeconfig string `json:"kubeconfig"`
	// OperatorEnv are the operator's variables of the last up, as NAME=VALUE.
	OperatorEnv []string `json:"operatorEnv"`
	Node        struct {
		Image      string `json:"image"`
		Kubernetes string `json:"kubernetes"`
		Runtime    string `json:"runtime"`
	} `json:"node"`
	Jaeger struct {
		UI       string `json:"ui"`
		Query    string `json:"query"`
		OTLPGRPC string `json:"otlpGRPC"`
		OTLPHTTP string `json:"otlpHTTP"`
		Thrift   string `json:"thrift"` // URL
	} `json:"jaeger"`
	Components []Component `json:"components"`
}

// Component is a component of the sandbox.
type Component struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Ready   bool   `json:"ready"`
	Message string `json:"message"`
	// Processes are the processes of a component of an embedded cluster.
	Processes []Process `json:"processes"`
}

// Process is a process of an embedded cluster.
type Process struct {
	Name string `json:"name"`
	PID  int    `json:"pid"` // 0 if the process does not run.
	// Since is the start of the process. It is zero if the process does not run.
	Since time.Time `json:"since"`
	Log   string    `json:"log"` // path
}

// The kinds of cluster.
const (
	clusterKind     = "kind"
	clusterEmbedded = "embedded"
)

// The states of a sandbox.
const (
	StateUp       = "up"
	StateDown     = "down"
	StateDegraded = "degraded"
)

func parseStatus(data []byte) (Status, error) {
	var status Status
	if err := json.Unmarshal(data, &status); err != nil {
		return Status{}, fmt.Errorf("decoding the status %q: %w", data, err)
	}
	switch status.State {
	case StateUp, StateDown, StateDegraded:
		return status, nil
	}
	return Status{}, fmt.Errorf("unknown state %q", status.State)
}

// receivers returns the addresses of Jaeger's receivers of spans on this machine, as host:port.
func (s Status) receivers() []string {
	thrift, _, _ := strings.Cut(strings.TrimPrefix(s.Jaeger.Thrift, "http://"), "/")
	return []string{s.Jaeger.OTLPGRPC, s.Jaeger.OTLPHTTP, thrift}
}

// processes returns the processes of all components.
func (s Status) processes() []Process {
	var all []Process
	for _, c := range s.Components {
		all = append(all, c.Processes...)
	}
	return all
}

// describe returns a line about the sandbox under test.
func (s Status) describe() string {
	on := "on " + s.Provider
	if s.Provider == "" {
		on = "on this machine"
	}
	return fmt.Sprintf("%s cluster %s %s, images from %s, Kubernetes %s on %s, Jaeger at %s",
		s.Cluster, s.Name, on, s.Images, s.Node.Kubernetes, s.Node.Runtime, s.Jaeger.UI)
}

// check compares the sandbox with the environment. So a run in CI cannot pass on another kind of
// cluster, another engine, another runtime or other images than the environment names. On a cluster
// other than kind, check ignores the engine, as the sandbox does.
func (s Status) check(env func(string) string) error {
	var problems []error
	complain := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	for _, named := range []struct{ variable, is string }{
		{"SANDBOX_CLUSTER", s.Cluster}, {"SANDBOX_PROVIDER", s.Provider}, {"SANDBOX_IMAGES", s.Images},
	} {
		ignored := named.variable == "SANDBOX_PROVIDER" && s.Cluster != clusterKind && env("SANDBOX_CLUSTER") == s.Cluster
		if value := env(named.variable); !automatic(value) && value != named.is && !ignored {
			complain("%s names %s, the sandbox has %q", named.variable, value, named.is)
		}
	}
	if env("CI") != "" {
		switch cluster := env("SANDBOX_CLUSTER"); {
		case automatic(cluster):
			complain("CI runs with SANDBOX_CLUSTER=%s; set the kind of cluster", cluster)
		case cluster == clusterKind && automatic(env("SANDBOX_PROVIDER")):
			complain("CI runs with SANDBOX_PROVIDER=%s; set the engine", env("SANDBOX_PROVIDER"))
		}
	}
	runtime := map[string]string{clusterKind: "containerd://", clusterEmbedded: "kwok://"}[s.Cluster]
	if runtime == "" || !strings.HasPrefix(s.Node.Runtime, runtime) {
		complain("the node of the %s cluster reports the runtime %q, want %q", s.Cluster, s.Node.Runtime, runtime)
	}
	if s.Cluster == clusterEmbedded {
		problems = append(problems, s.checkProcesses())
	}
	for what, value := range map[string]string{"kubeconfig": s.Kubeconfig, "address of Jaeger's query API": s.Jaeger.Query,
		"address of Jaeger's OTLP receivers": s.Jaeger.OTLPGRPC, "address of Jaeger's OTLP receiver over HTTP": s.Jaeger.OTLPHTTP} {
		if value == "" {
			complain("the sandbox's status has no %s", what)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("checking the sandbox: %w", err)
	}
	return nil
}

// automatic reports whether the sandbox chooses the value of an option.
func automatic(value string) bool { return value == "" || value == "auto" }

// checkProcesses returns an error unless every process of an embedded cluster runs and has a unique
// process id.
func (s Status) checkProcesses() error {
	running, names := map[int]bool{}, []string{}
	for _, p := range s.processes() {
		if p.PID == 0 {
			return fmt.Errorf("process %s does not run", p.Name)
		}
		if running[p.PID] {
			return fmt.Errorf("process %d of %s is listed twice", p.PID, p.Name)
		}
		running[p.PID], names = true, append(names, p.Name)
	}
	for _, name := range component.NamesOf(component.ProgramsOn(component.Embedded)) {
		if !slices.Contains(names, name) {
			return fmt.Errorf("the status has no process %s", name)
		}
	}
	return nil
}
