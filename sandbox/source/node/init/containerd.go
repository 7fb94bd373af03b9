//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	containerdConfig = "/etc/containerd/config.toml"
	containerdSocket = "/run/containerd/containerd.sock"
	baseSpec         = "/etc/containerd/cri-base.json"
	imagesDir        = "/kind/images"
	importedMark     = "/var/lib/containerd/sandbox-imported"
	// containerdEnv contains additional environment variables for containerd. The sandbox mounts it
	// (sandbox/cluster/tracing.go).
	containerdEnv = "/kind/tracing/containerd.env"
)

// configureContainerd adapts the configuration in the node image to the capabilities of this host.
//
// Without CAP_SYS_RESOURCE, a container runtime can neither lower oom_score_adj nor raise limits.
// Every pod would fail to start ("can't get final child's PID from pipe"). On such hosts, the base
// spec contains no rlimits.
func configureContainerd(ctx context.Context, h *host) error {
	spec, err := exec.CommandContext(ctx, "ctr", "oci", "spec").Output()
	if err != nil {
		return fmt.Errorf("reading the default container spec from ctr: %w", err)
	}
	if !h.SysResource {
		if spec, err = withoutRlimits(spec); err != nil {
			return err
		}
	}
	if err := os.WriteFile(baseSpec, spec, 0o644); err != nil {
		return err
	}
	template, err := os.ReadFile(containerdConfig + ".in")
	if err != nil {
		return err
	}
	config := strings.ReplaceAll(string(template), "@RESTRICT_OOM_SCORE_ADJ@", fmt.Sprint(!h.SysResource))
	return os.WriteFile(containerdConfig, []byte(config), 0o644)
}

// containerdCommand returns containerd with the environment of this process and containerdEnv.
func containerdCommand() (*exec.Cmd, error) {
	more, err := variables(containerdEnv)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("containerd")
	cmd.Env = append(os.Environ(), more...)
	return cmd, nil
}

// variables returns the NAME=VALUE lines of a file, or nil if the file does not exist.
func variables(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the environment of containerd: %w", err)
	}
	var all []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all, nil
}

func withoutRlimits(spec []byte) ([]byte, error) {
	var parsed map[string]any
	if err := json.Unmarshal(spec, &parsed); err != nil {
		return nil, fmt.Errorf("decoding the default container spec: %w", err)
	}
	if process, ok := parsed["process"].(map[string]any); ok {
		delete(process, "rlimits")
	}
	return json.Marshal(parsed)
}

// importImages imports the archives in the node image into containerd. A mark in the node's /var
// records the import, so a restarted node does not repeat it.
func importImages(ctx context.Context) error {
	if exists(importedMark) {
		return nil
	}
	if err := waitForContainerd(ctx); err != nil {
		return err
	}
	archives, err := filepath.Glob(filepath.Join(imagesDir, "*.tar"))
	if err != nil {
		return err
	}
	start := time.Now()
	for _, archive := range archives {
		// Without --local, ctr uses containerd's transfer service, which takes twice as long.
		if out, err := exec.CommandContext(ctx, "ctr", "--namespace=k8s.io", "images", "import", "--local", archive).CombinedOutput(); err != nil {
			return fmt.Errorf("importing %s: %w: %s", archive, err, out)
		}
	}
	stacks := overlaysStack(unpackedDir, filepath.Dir(importedMark))
	if err := placeUnpacked(snapshotsDir, unpackedDir, stacks); err != nil {
		return err
	}
	logf("imported %d image archives in %s (layers linked: %t)", len(archives), time.Since(start).Round(10*time.Millisecond), stacks)
	return os.WriteFile(importedMark, nil, 0o644)
}

// waitForContainerd waits until containerd accepts connections, which it does when it is ready. A
// start of ctr at each attempt would take as much of the processor as containerd itself.
func waitForContainerd(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		connection, err := (&net.Dialer{}).DialContext(ctx, "unix", containerdSocket)
		if err == nil {
			return connection.Close()
		}
		if ctx.Err() != nil {
			return fmt.Errorf("waiting for containerd: %w; last error: %w", ctx.Err(), err)
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// writeMachineID writes a new machine-id(5) at every start of the node. Each node needs its own id,
// which the kubelet reports as the machine ID.
func writeMachineID() error {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return err
	}
	return os.WriteFile("/etc/machine-id", []byte(hex.EncodeToString(id)+"\n"), 0o444)
}
