// Package debian builds the root filesystem of a node from Debian packages.
package debian

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/artifact/internal/gocmd"
)

// Outputs are the files that Bootstrap writes: an uncompressed tar archive, and the installed packages
// with their versions.
var Outputs = []string{"rootfs.tar", "packages"}

// Requested describes what Bootstrap is asked to install, for the key of a cache.
func Requested(arch string) string {
	return strings.Join(slices.Concat([]string{Release, arch}, packages, unwanted), " ")
}

// Release is the Debian release of the node's root filesystem.
const Release = "bookworm"

// packages are the Debian packages that the kubelet, kube-proxy, the CNI plugins and kind need
// in the node.
var packages = []string{
	"ca-certificates", "conntrack", "ethtool", "iproute2", "iptables", "kmod", "mount", "nftables", "procps", "runc", "util-linux",
}

// unwanted are folders that only administrators of a Debian system need. They are a third of its
// size.
var unwanted = []string{
	"./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./usr/share/info", "./usr/share/lintian",
	"./var/cache/apt", "./var/lib/apt/lists", "./var/log",
}

func installed(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// canDebootstrap reports whether debootstrap can run. It creates device files and changes the root.
func canDebootstrap() bool { return installed("debootstrap") && os.Geteuid() == 0 }

// Available returns nil if this machine can run Bootstrap, and otherwise an error with a remedy.
func Available() error {
	// Without root, mmdebstrap uses a user namespace, for which newuidmap must be setuid.
	if canDebootstrap() || installed("mmdebstrap") && (os.Geteuid() == 0 || installed("newuidmap")) {
		return nil
	}
	return errors.New("building a node image from source needs debootstrap and root, or mmdebstrap and newuidmap:" +
		" run scripts/prerequisites.sh as root on Debian or Ubuntu, install the packages mmdebstrap and uidmap," +
		" or use --images=registry if a container registry answers")
}

// Bootstrap writes the [Outputs] into dir. It prefers debootstrap, which is faster as root.
func Bootstrap(ctx context.Context, arch, dir string) error {
	mirror, err := debianMirror(ctx)
	if err != nil {
		return err
	}
	archive, status := filepath.Join(dir, Outputs[0]), filepath.Join(dir, "dpkg")
	if canDebootstrap() {
		root := filepath.Join(dir, "root")
		defer os.RemoveAll(root)
		status = filepath.Join(root, "var/lib/dpkg")
		err = debootstrap(ctx, arch, root, archive, mirror)
	} else {
		defer os.RemoveAll(status)
		err = mmdebstrap(ctx, arch, status, archive, mirror)
	}
	if err != nil {
		return err
	}
	list, err := exec.CommandContext(ctx, "dpkg-query", "--admindir="+status, "--show", "--showformat=${Package}=${Version}\n").Output()
	if err != nil {
		return fmt.Errorf("listing the installed packages: %w", errors.Join(err, gocmd.ExitText(err)))
	}
	return os.WriteFile(filepath.Join(dir, Outputs[1]), list, 0o644)
}

func debootstrap(ctx context.Context, arch, root, archive string, mirror []string) error {
	args := []string{"--variant=minbase", "--arch=" + arch, "--include=" + strings.Join(packages, ","), Release, root}
	if err := quiet(ctx, "debootstrap", append(args, mirror...)...); err != nil {
		return err
	}
	pack := []string{"--create", "--file=" + archive, "--directory=" + root, "--numeric-owner", "--sort=name", "--mtime=@0", "--xattrs"}
	for _, folder := range unwanted {
		pack = append(pack, "--exclude="+folder+"/*")
	}
	return quiet(ctx, "tar", append(pack, ".")...)
}

// mmdebstrap needs no root. It writes dpkg's list of packages into the folder status.
func mmdebstrap(ctx context.Context, arch, status, archive string, mirror []string) error {
	if err := os.Mkdir(status, 0o755); err != nil {
		return err
	}
	args := []string{
		"SOURCE_DATE_EPOCH=0", "mmdebstrap", "--variant=minbase", "--arch=" + arch, "--include=" + strings.Join(packages, ","),
		// Without the hook, apt chooses the package usrmerge, which needs 40 MB of Perl.
		"--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
		"--customize-hook=download /var/lib/dpkg/status '" + filepath.Join(status, "status") + "'",
	}
	for _, folder := range unwanted {
		if documentation, found := strings.CutPrefix(folder, "./usr/"); found { // It empties the others itself.
			args = append(args, "--dpkgopt=path-exclude=/usr/"+documentation+"/*")
		}
	}
	return quiet(ctx, "env", slices.Concat(args, []string{Release, archive}, mirror)...)
}

// debianMirror returns apt's mirror for the release, or nothing if apt has none; debootstrap and
// mmdebstrap have a default.
func debianMirror(ctx context.Context) ([]string, error) {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages").Output()
	if err != nil {
		return nil, fmt.Errorf("getting the Debian mirror from apt: %w", err)
	}
	return mirrorOf(string(out)), nil
}

// mirrorOf finds the release's mirror in lines of address, release and component. debootstrap does
// not support all schemes of apt, for example a file with a list of mirrors.
func mirrorOf(targets string) []string {
	for line := range strings.Lines(targets) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[1] != Release || fields[2] != "main" {
			continue
		}
		if scheme, _, _ := strings.Cut(fields[0], ":"); slices.Contains([]string{"http", "https", "file"}, scheme) {
			return fields[:1]
		}
	}
	return nil
}

// quiet runs a command. Its output only appears in the error.
func quiet(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running %s: %w: %s", name, err, gocmd.LastLines(out.String(), 10))
	}
	return nil
}
