//go:build linux

package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// fenceRules reject packets to the addresses of Services that kube-proxy has not translated.
//
// Before kube-proxy has written its rules, a request from a pod to the API server would leave the
// node by the default route. It could then reach a foreign host with the same private address.
// After a rejection, the client can retry immediately.
//
// 10.96.0.0/16 is kind's default subnet of Services. Translated packets have a different
// destination when they reach these chains.
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
