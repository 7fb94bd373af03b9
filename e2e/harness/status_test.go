package harness

import (
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

func TestParseStatus(t *testing.T) {
	status, err := parseStatus([]byte(`{"name":"n","state":"up","cluster":"kind","provider":"podman","images":"source","kubeconfig":"/k",
		"node":{"kubernetes":"v1","runtime":"containerd://2"},"jaeger":{"ui":"http://u","query":"q:1","otlpGRPC":"o:1","otlpHTTP":"o:2"},"components":[{"name":"c","ready":true}],"new":1}`))
	if err != nil || status.Provider != "podman" || status.Jaeger.Query != "q:1" || !status.Components[0].Ready {
		t.Errorf("status = %+v, %v", status, err)
	}
	for _, bad := range []string{"", "no json", `{"state":"odd"}`, `{}`} {
		if _, err := parseStatus([]byte(bad)); err == nil {
			t.Errorf("no error for status %q", bad)
		}
	}
}

// embeddedProcesses are all required processes and another one.
var embeddedProcesses = append(component.NamesOf(component.ProgramsOn(component.Embedded)), "another")

// goodStatus returns the status of a sandbox without problems.
func goodStatus(cluster string) Status {
	s := Status{Cluster: cluster, Images: "source", Kubeconfig: "/k"}
	s.Jaeger.Query, s.Jaeger.OTLPGRPC, s.Jaeger.OTLPHTTP = "q:1", "o:1", "o:2"
	switch cluster {
	case clusterKind:
		s.Provider, s.Node.Runtime = "podman", "containerd://2.1"
	case clusterEmbedded:
		s.Node.Runtime = "kwok://v0.8.0"
		s.Components = []Component{{Name: "control plane"}, {Name: "sample"}, {Name: "rest"}}
		for i, name := range embeddedProcesses {
			c := &s.Components[i/4%2*2]
			c.Processes = append(c.Processes, Process{Name: name, PID: 100 + i})
		}
	}
	return s
}

func TestCheck(t *testing.T) {
	type env = map[string]string
	spoiled := func(cluster string, spoil func(*Status)) Status {
		s := goodStatus(cluster)
		spoil(&s)
		return s
	}
	kind, embedded := goodStatus(clusterKind), goodStatus(clusterEmbedded)
	tests := map[string]struct {
		status Status
		env    env
		say    string // A part of the error. It is empty if no error is expected.
	}{
		"kind, nothing named": {kind, nil, ""},
		"kind, as named":      {kind, env{"SANDBOX_CLUSTER": "kind", "SANDBOX_PROVIDER": "podman", "SANDBOX_IMAGES": "source", "CI": "1"}, ""},
		"kind, auto":          {kind, env{"SANDBOX_CLUSTER": "auto", "SANDBOX_PROVIDER": "auto", "SANDBOX_IMAGES": "auto"}, ""},
		"cluster auto in CI":  {kind, env{"SANDBOX_CLUSTER": "auto", "SANDBOX_PROVIDER": "podman", "CI": "true"}, "set the kind of cluster"},
		"no cluster in CI":    {embedded, env{"CI": "true"}, "set the kind of cluster"},
		"engine auto in CI":   {kind, env{"SANDBOX_CLUSTER": "kind", "SANDBOX_PROVIDER": "auto", "CI": "true"}, "set the engine"},
		"no engine in CI":     {kind, env{"SANDBOX_CLUSTER": "kind", "CI": "true"}, "set the engine"},
		"another engine":      {kind, env{"SANDBOX_PROVIDER": "docker"}, `names docker, the sandbox has "podman"`},
		"other images":        {kind, env{"SANDBOX_IMAGES": "registry"}, `names registry, the sandbox has "source"`},
		"not embedded":        {kind, env{"SANDBOX_CLUSTER": "embedded"}, `names embedded, the sandbox has "kind"`},
		"another runtime":     {spoiled(clusterKind, func(s *Status) { s.Node.Runtime = "docker://1" }), nil, `runtime "docker://1"`},
		"no runtime":          {spoiled(clusterKind, func(s *Status) { s.Node.Runtime = "" }), nil, `runtime ""`},
		"no queries":          {spoiled(clusterKind, func(s *Status) { s.Jaeger.Query = "" }), nil, "has no address of Jaeger's query API"},

		"embedded, nothing named":  {embedded, nil, ""},
		"embedded, as named":       {embedded, env{"SANDBOX_CLUSTER": "embedded", "CI": "1"}, ""},
		"embedded, engine ignored": {embedded, env{"SANDBOX_CLUSTER": "embedded", "SANDBOX_PROVIDER": "podman"}, ""},
		"not kind":                 {embedded, env{"SANDBOX_CLUSTER": "kind"}, `names kind, the sandbox has "embedded"`},
		"no engine at all":         {embedded, env{"SANDBOX_PROVIDER": "podman"}, `names podman, the sandbox has ""`},
		"a real node":              {spoiled(clusterEmbedded, func(s *Status) { s.Node.Runtime = "containerd://2.1" }), nil, `runtime "containerd://2.1", want "kwok://"`},
		"a dead process":           {spoiled(clusterEmbedded, func(s *Status) { s.Components[2].Processes[1].PID = 0 }), nil, "process " + embeddedProcesses[5] + " does not run"},
		"a process less":           {spoiled(clusterEmbedded, func(s *Status) { s.Components[2].Processes = s.Components[2].Processes[1:] }), nil, "the status has no process " + embeddedProcesses[4]},
		"one process twice":        {spoiled(clusterEmbedded, func(s *Status) { s.Components[2].Processes[1].PID = 100 }), nil, "process 100 of " + embeddedProcesses[5] + " is listed twice"},

		"another kind of cluster": {Status{Cluster: "k3s", Kubeconfig: "/k"}, nil, "k3s"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := test.status.check(func(key string) string { return test.env[key] })
			if (err == nil) != (test.say == "") || (err != nil && !strings.Contains(err.Error(), test.say)) {
				t.Errorf("error is %v, want %q", err, test.say)
			}
		})
	}
}
