package image

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
	"time"
)

// debianRelease is the Debian release of the node's root filesystem.
const debianRelease = "bookworm"

// nodePackages are the Debian packages that the kubelet, kube-proxy, the CNI plugins and kind call in the node.
var nodePackages = []string{
	"ca-certificates", "conntrack", "ethtool", "iproute2", "iptables", "kmod", "mount", "nftables", "procps", "runc", "util-linux",
}

// unwanted are folders that only a Debian system which is administered by hand needs: they are a third of its size.
var unwanted = []string{
	"./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./usr/share/info", "./usr/share/lintian",
	"./var/cache/apt", "./var/lib/apt/lists", "./var/log",
}

// rootFS is the node's root filesystem as a layer, with what went into it.
type rootFS struct {
	archive  string // path of the uncompressed tar archive
	packages string // resolved packages, "name=version" with commas between
}

// buildRootFS makes the node's root filesystem from Debian packages. It needs root, debootstrap and tar.
//
// debootstrap takes the versions of the day. The cache is therefore keyed by what was asked for, and what was got is
// kept beside it and becomes a label of the image.
func (b *Builder) buildRootFS(ctx context.Context, report Report) (rootFS, error) {
	_, arch := b.platform()
	dir := b.rootFSFolder()
	fs := rootFS{archive: filepath.Join(dir, "rootfs.tar")}
	if !use(dir, rootFSOutputs) {
		if err := CanBuildNode(); err != nil {
			return fs, err
		}
		start := time.Now()
		if err := fill(dir, rootFSOutputs, func(temporary string) error { return debootstrap(ctx, arch, temporary, report) }); err != nil {
			return fs, fmt.Errorf("building the node's root filesystem: %w", err)
		}
		b.built("root filesystem", start, report)
	}
	packages, err := os.ReadFile(filepath.Join(dir, "packages"))
	if err != nil {
		return fs, fmt.Errorf("reading the root filesystem's packages: %w", err)
	}
	fs.packages = strings.Join(strings.Fields(string(packages)), ",")
	return fs, nil
}

// CanBuildNode says what a source build of the node's image lacks here, before anything long begins; nil if nothing.
func CanBuildNode() error {
	if _, err := exec.LookPath("debootstrap"); err != nil {
		return errors.New("building a node image from source needs debootstrap: run scripts/prerequisites.sh as root on Debian or Ubuntu," +
			" or use --images=registry where a container registry answers")
	}
	if os.Geteuid() != 0 {
		return errors.New("building a node image from source needs root (debootstrap makes device files and changes root):" +
			" run the command as root, or use --images=registry where a container registry answers")
	}
	return nil
}

func debootstrap(ctx context.Context, arch, dir string, report Report) error {
	mirror, err := debianMirror(ctx)
	if err != nil {
		return err
	}
	report.say("installing %d Debian packages and what they need", len(nodePackages))
	root := filepath.Join(dir, "root")
	args := []string{"--variant=minbase", "--arch=" + arch, "--include=" + strings.Join(nodePackages, ","), debianRelease, root}
	if mirror != "" {
		args = append(args, mirror)
	}
	if err := quiet(ctx, "debootstrap", args...); err != nil {
		return err
	}
	list, err := exec.CommandContext(ctx, "dpkg-query", "--root="+root, "--show", "--showformat=${Package}=${Version}\n").Output()
	if err != nil {
		return fmt.Errorf("listing the installed packages: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "packages"), list, 0o644); err != nil {
		return err
	}
	report.say("packing")
	pack := []string{"--create", "--file=" + filepath.Join(dir, "rootfs.tar"), "--directory=" + root,
		"--numeric-owner", "--sort=name", "--mtime=@0", "--xattrs"}
	for _, u := range unwanted {
		pack = append(pack, "--exclude="+u+"/*")
	}
	if err := quiet(ctx, "tar", append(pack, ".")...); err != nil {
		return err
	}
	return os.RemoveAll(root)
}

// debianMirror asks apt where it gets this release's packages, so that a machine with a mirror of its own uses that.
// It returns "" on a machine whose apt knows no such release; debootstrap then has a default.
func debianMirror(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages").Output()
	if err != nil {
		return "", fmt.Errorf("asking apt for the Debian mirror: %w", err)
	}
	return mirrorOf(string(out)), nil
}

// mirrorOf finds the release's mirror in lines of address, release and component, or returns "".
func mirrorOf(targets string) string {
	for line := range strings.Lines(targets) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[1] == debianRelease && fields[2] == "main" && debootstrapReads(fields[0]) {
			return fields[0]
		}
	}
	return ""
}

// debootstrapReads tells whether debootstrap knows an address's scheme; apt knows more, a file with a list of mirrors say.
func debootstrapReads(address string) bool {
	scheme, _, _ := strings.Cut(address, ":")
	return slices.Contains([]string{"http", "https", "file"}, scheme)
}

// quiet runs a command and shows its output only in the error.
func quiet(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running %s: %w: %s", name, err, lastLines(out.String(), 10))
	}
	return nil
}
