//go:build linux

package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// fenceRules refuse traffic to addresses of Services that kube-proxy has not translated. Until kube-proxy has written its
// rules, a pod's call of the API server would leave the node by the default route, and whatever answers there under the
// same private address would be talked to. Refused, the caller tries again at once. 10.96.0.0/16 is kind's default service
// subnet; translated packets have another destination by the time these chains see them.
const fenceRules = `
table inet sandbox-fence {
	chain output {
		type filter hook output priority filter; policy accept;
		ip daddr 10.96.0.0/16 reject
	}
	chain forward {
		type filter hook forward priority filter; policy accept;
		ip daddr 10.96.0.0/16 reject
	}
}
`

func fenceServices(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "nft", "--file", "-")
	cmd.Stdin = strings.NewReader(fenceRules)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running nft: %w: %s", err, out)
	}
	return nil
}
