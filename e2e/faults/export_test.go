package faults

import (
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/companion"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/export"
	"github.com/operator-tracing/sandbox/sandbox/export/redact"
	"github.com/operator-tracing/sandbox/sandbox/provider"
)

// TestExport exports a healthy sandbox, and one with a stopped node. Each export has the available
// data, and no key, token or password. Status and logs report as much as possible.
func TestExport(t *testing.T) {
	s := newSandbox(t)
	s.up()
	status := s.WantUp()
	for _, c := range status.Components {
		imageless := c.Name == component.Sample || c.Name == companion.Name
		if c.Since == nil || !imageless && !strings.HasPrefix(c.Digest, "sha256:") {
			t.Errorf("%s: digest %q, since %v", c.Name, c.Digest, c.Since)
		}
	}
	if !strings.HasPrefix(status.Node.Digest, "sha256:") || status.Node.Since == nil {
		t.Errorf("node %+v", status.Node)
	}
	always := map[string]string{"versions.txt": "github.com/operator-tracing/sandbox", "state.json": `"kind"`, "doctor.json": `"check": "cgroups"`, "node/version.txt": "ersion", "node/inspect.txt": name}
	whole := map[string]string{
		"status.json": `"state": "up"`, "events.txt": "Pod default/head-sample", "traces/sample.json": "resourceSpans", "objects/secrets.yaml": redact.Hidden,
		"objects/heads.dummy.example.com.yaml": "name: head-sample", "logs/operator.log": "{", "logs/kube-apiserver.log": "", "logs/kubelet.log": "", "node/images.txt": "pause",
	}
	for file, word := range always {
		whole[file] = word
	}
	s.WantNoSecrets(s.WantExport(whole))
	for _, part := range []string{"operator", "cert-manager", "control-plane", "kubelet", "containerd", "node"} {
		if out, err := s.Run(t.Context(), upLimit, "logs", part, "--tail=2"); err != nil || strings.TrimSpace(out) == "" {
			t.Errorf("logs of %s: %v\n%s", part, err, out)
		}
	}

	s.engine("stop", "--time=2", name+"-control-plane")
	if status, code := s.Status(); code != 1 || status.State != provider.StateDown || status.Message == "" {
		t.Errorf("status of a stopped node: exit code %d, %+v", code, status)
	}
	always["status.json"], always["logs/node.log"], always[export.IncompleteFile] = `"down"`, "", "objects: "
	s.WantExport(always)
	s.WantRefusal(nil, []string{"logs", "operator"}, "may still be read")
}
