package doctor

import (
	"slices"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/cluster"
)

// engine finds out whether containers can be had.
func engine(f Facts) []Finding {
	e := f.Engine
	switch {
	case !e.Looked:
		return nil
	case len(e.Installed) == 0:
		return problem(onKind, installRemedy(f.System), "no container engine: docker, podman and nerdctl are not installed")
	case f.Wanted.Provider != "" && f.Wanted.Provider != "auto" && !slices.Contains(e.Installed, f.Wanted.Provider):
		return problem(onKind, "install and start it, or leave --provider out", "%s, which was asked for, is not installed", f.Wanted.Provider)
	case !e.Probed:
		return ok("%s is installed", strings.Join(e.Installed, " and "))
	case e.Err != nil:
		return problem(onKind, startRemedy(e.Err.Error(), f.System), "%v", e.Err)
	}
	return ok("%s starts privileged containers (linux/%s, kernel %s)", e.Name, e.Host.Architecture, e.Host.Kernel)
}

// installRemedy is how to get an engine.
func installRemedy(s System) string {
	switch {
	case s.OS == "darwin":
		return "install Docker Desktop, or podman and run `podman machine init --rootful --now`"
	case s.WSL:
		return "install Docker Desktop and switch its WSL integration on, or as root: apt-get install podman"
	case s.Apt && s.Root:
		return "scripts/prerequisites.sh up"
	case s.Apt:
		return "sudo apt-get install podman"
	}
	return "Install Docker or podman, start it, and run this again"
}

// startRemedies are what to do where an engine that is installed does not work, by what it says.
var startRemedies = []struct{ says, remedy string }{
	{"permission denied", "sudo usermod -aG docker \"$USER\", and log in again; or run this as root"},
	{"Cannot connect to the Docker daemon", "sudo systemctl start docker"},
	{"Is the docker daemon running", "sudo systemctl start docker"},
	{"Cannot connect to Podman", "podman machine start"},
	{"containerd.sock", "sudo systemctl start containerd"},
	{"newuidmap", "sudo apt-get install uidmap"},
	{"no subuid ranges", "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 \"$USER\""},
	{"unable to apply caps", "this machine's root may not start privileged containers: use another machine, or --cluster=embedded"},
	{"grants no privileges", "use an engine that runs as root, or --cluster=embedded"},
	{"no space left on device", "make room for the engine: docker system prune, or podman system prune"},
}

func startRemedy(said string, s System) string {
	for _, r := range startRemedies {
		if !strings.Contains(said, r.says) {
			continue
		}
		if s.OS == "darwin" && strings.Contains(r.remedy, "systemctl start docker") {
			return "start Docker Desktop: open -a Docker"
		}
		return r.remedy
	}
	return "make one of them start a container (`docker run --rm --privileged IMAGE`), or use --cluster=embedded"
}

// privileges says what the engine grants its containers. Without CAP_SYS_RESOURCE a node built from source adapts itself;
// kind's own does not.
func privileges(f Facts) []Finding {
	host := f.Engine.Host
	if host == nil {
		return nil
	}
	switch {
	case host.Rootless && !f.System.Root:
		return ok("%s runs without root", f.Engine.Name)
	case !host.SysResource:
		return warning([]Mode{KindByRegistry}, "use --images=source: the node that is built adapts itself",
			"containers can't raise limits (CAP_SYS_RESOURCE): Pods may fail to start in kind's own node")
	}
	return ok("containers get all that a node needs")
}

// needed are the controllers without which the kubelet can't run.
var needed = []string{"cpu", "memory", "pids"}

const delegate = `sudo mkdir -p /etc/systemd/system/user@.service.d && printf '[Service]\nDelegate=yes\n' | ` +
	"sudo tee /etc/systemd/system/user@.service.d/delegate.conf && sudo systemctl daemon-reload, and log in again"

const unified = "boot with systemd.unified_cgroup_hierarchy=1 (in GRUB_CMDLINE_LINUX of /etc/default/grub, then sudo update-grub)"

// cgroups judges the hierarchy that the node's container gets.
func cgroups(f Facts) []Finding {
	host := f.Engine.Host
	switch {
	case host == nil:
		return nil
	case host.Rootless && !host.CgroupV2:
		return problem(onKind, unified, "%s runs without root on cgroup v1, where kind does not: it needs cgroup v2", f.Engine.Name)
	case !host.CgroupV2:
		return warning(onKind, unified, "cgroup v1: works here, but Kubernetes takes it only when told to, and will drop it")
	}
	if lacking := lackingControllers(host); len(lacking) > 0 {
		remedy := delegate
		if !host.Rootless {
			remedy = "enable them for the engine: echo +" + strings.Join(lacking, " +") + " | sudo tee /sys/fs/cgroup/cgroup.subtree_control"
		}
		return problem(onKind, remedy, "containers don't get the cgroup controllers %s", strings.Join(lacking, ", "))
	}
	return ok("cgroup v2 with what the kubelet needs")
}

// lackingControllers is empty where the probe says nothing of controllers.
func lackingControllers(host *cluster.Host) []string {
	if len(host.Controllers) == 0 {
		return nil
	}
	var lacking []string
	for _, c := range needed {
		if !slices.Contains(host.Controllers, c) {
			lacking = append(lacking, c)
		}
	}
	return lacking
}
