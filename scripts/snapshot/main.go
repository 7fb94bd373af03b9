// Command snapshot builds the files of a release: archives with the program sandbox for each
// platform, images of the operator and of the sandbox, bills of materials, the provenance and
// checksums. scripts/snapshot.sh runs it.
//
// The same commit, Go version and dependencies result in the same bytes. It needs no network if the
// module cache is complete, and no tag.
package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// files are added to each archive.
var files = []string{"LICENSE", "README.md", "CHANGELOG.md"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	platforms := flag.String("platforms", "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64", "comma-separated `OS/ARCH` pairs")
	out := flag.String("output", "dist", "`folder` for the archives")
	flag.Parse()
	if err := run(ctx, *out, strings.Split(*platforms, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "snapshot:", err)
		os.Exit(1) //nolint:gocritic // stop only restores the handling of the signal.
	}
}

// run builds the archives of the repository in the working folder.
func run(ctx context.Context, out string, platforms []string) error {
	s, err := describe(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for _, platform := range platforms {
		if err := s.build(ctx, out, platform); err != nil {
			return fmt.Errorf("building the archive for %s: %w", platform, err)
		}
	}
	if err := s.buildImages(ctx, out, platforms); err != nil {
		return err
	}
	return s.sign(out)
}

// snapshot is the source of the archives, and the archives that were built.
type snapshot struct {
	version, commit string
	time            time.Time
	archives        []artifact
}

// describe reads the commit of the working folder.
func describe(ctx context.Context) (*snapshot, error) {
	version, err := output(ctx, nil, "git", "describe", "--tags", "--always", "--dirty", "--match=v*")
	if err != nil {
		return nil, fmt.Errorf("finding the version: %w", err)
	}
	commit, err := output(ctx, nil, "git", "log", "-1", "--format=%H %ct")
	if err != nil {
		return nil, fmt.Errorf("finding the commit: %w", err)
	}
	hash, seconds, _ := strings.Cut(commit, " ")
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("parsing the time of the commit: %w", err)
	}
	return &snapshot{version: version, commit: hash, time: time.Unix(unix, 0).UTC()}, nil
}

// build writes the archive and the bill of materials of a platform.
func (s *snapshot) build(ctx context.Context, out, platform string) error {
	system, machine, ok := strings.Cut(platform, "/")
	if !ok {
		return fmt.Errorf("invalid platform %q; use OS/ARCH", platform)
	}
	scratch, err := os.MkdirTemp("", "snapshot")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	program := filepath.Join(scratch, "sandbox")
	if err := compile(ctx, program, "./sandbox", system, machine); err != nil {
		return err
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("sandbox_%s_%s_%s", s.version, system, machine)
	archive, err := pack(name, append([]string{program}, files...), s.time)
	if err != nil {
		return err
	}
	materials, err := bill(info, s.version, s.time)
	if err != nil {
		return err
	}
	return s.write(out, artifact{name + ".tar.gz", archive}, artifact{name + ".cdx.json", materials})
}

// compile builds a program of the repository.
func compile(ctx context.Context, file, pkg, system, machine string) error {
	env := []string{"GOOS=" + system, "GOARCH=" + machine, "CGO_ENABLED=0", "GOFLAGS=-trimpath"}
	_, err := output(ctx, env, "go", "build", "-ldflags=-s -w", "-o", file, pkg)
	return err
}

// write writes artifacts to a folder and records them.
func (s *snapshot) write(out string, all ...artifact) error {
	for _, a := range all {
		if err := os.WriteFile(filepath.Join(out, a.name), a.content, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%s (%.1f MB)\n", a.name, float64(len(a.content))/1e6)
	}
	s.archives = append(s.archives, all...)
	return nil
}

// output runs a command with additional variables, and returns its output without the last newline.
func output(ctx context.Context, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("running %s %s: %w: %s", name, args[0], err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSuffix(stdout.String(), "\n"), nil
}
