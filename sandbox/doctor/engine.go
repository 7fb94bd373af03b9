package doctor

import (
	"slices"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/engine"
)

func checkEngine(f Facts) []Finding {
	e := f.Engine
	switch {
	case !e.Looked:
		return nil
	case len(e.Installed) == 0:
		return problem(onKind, installRemedy(f.System), "no container engine: docker, podman and nerdctl are not installed")
	case f.Wanted.Provider != "" && f.Wanted.Provider != "auto" && !slices.Contains(e.Installed, f.Wanted.Provider):
		return problem(onKind, "install and start it, or omit --provider", "the requested engine %s is not installed", f.Wanted.Provider)
	case !e.Probed:
		return ok("%s is installed", strings.Join(e.Installed, " and "))
	case e.Err != nil:
		return problem(onKind, startRemedy(e.Err.Error(), f.System), "%v", e.Err)
	}
	return ok("%s starts privileged containers (linux/%s, kernel %s)", e.Name, e.Host.Architecture, e.Host.Kernel)
}

func installRemedy(s System) string {
	switch {
	case s.OS == "darwin":
		return "install Docker Desktop, or podman and run `podman machine init --rootful --now`"
	case s.WSL:
		return "install Docker Desktop and enable its WSL integration, or as root: apt-get install podman"
	case s.Apt && s.Root:
		return "scripts/prerequisites.sh up"
	case s.Apt:
		return "sudo apt-get install podman"
	}
	return "install and start Docker or podman, then retry"
}

// startRemedies are the remedies for engines that do not work, by a part of their error messages.
var startRemedies = []struct{ message, remedy string }{
	{"permission denied", "sudo usermod -aG docker \"$USER\", and log in again; or run this command as root"},
	{"Cannot connect to the Docker daemon", "sudo systemctl start docker"},
	{"Is the docker daemon running", "sudo systemctl start docker"},
	{"Cannot connect to Podman", "podman machine start"},
	{"containerd.sock", "sudo systemctl start containerd"},
	{"newuidmap", "sudo apt-get install uidmap"},
	{"no subuid ranges", "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 \"$USER\""},
	{"unable to apply caps", "root cannot start privileged containers on this machine; use another machine, or --cluster=embedded"},
	{"grants no privileges", "use an engine that runs as root, or --cluster=embedded"},
	{"no space left on device", "make room for the engine with `docker system prune` or `podman system prune`"},
}

func startRemedy(message string, s System) string {
	for _, r := range startRemedies {
		if !strings.Contains(message, r.message) {
			continue
		}
		if s.OS == "darwin" && strings.Contains(r.remedy, "systemctl start docker") {
			return "start Docker Desktop: open -a Docker"
		}
		return r.remedy
	}
	return "check that one of them can start a container (`docker run --rm --privileged IMAGE`), or use --cluster=embedded"
}

// privileges checks the privileges that the engine grants to containers. A node built from source
// works without CAP_SYS_RESOURCE; kind's own node does not.
func privileges(f Facts) []Finding {
	host := f.Engine.Host
	if host == nil {
		return nil
	}
	switch {
	case host.Rootless && !f.System.Root:
		return ok("%s runs rootless", f.Engine.Name)
	case !host.SysResource:
		return warning([]Mode{KindByRegistry}, "use --images=source, whose node does not need it",
			"containers cannot raise limits (CAP_SYS_RESOURCE): Pods can fail to start in kind's own node")
	}
	return ok("containers get all privileges of a node")
}

// needed are the cgroup controllers that the kubelet requires.
var needed = []string{"cpu", "memory", "pids"}

const delegate = `sudo mkdir -p /etc/systemd/system/user@.service.d && printf '[Service]\nDelegate=yes\n' | ` +
	"sudo tee /etc/systemd/system/user@.service.d/delegate.conf && sudo systemctl daemon-reload, and log in again"

const unified = "boot with systemd.unified_cgroup_hierarchy=1 (in GRUB_CMDLINE_LINUX of /etc/default/grub, then sudo update-grub)"

func cgroups(f Facts) []Finding {
	host := f.Engine.Host
	switch {
	case host == nil:
		return nil
	case host.Rootless && !host.CgroupV2:
		return problem(onKind, unified, "%s runs rootless on cgroup v1, but rootless kind needs cgroup v2", f.Engine.Name)
	case !host.CgroupV2:
		return warning(onKind, unified, "cgroup v1: works here, but Kubernetes accepts it only if configured to, and will drop it")
	}
	if missing := missingControllers(host); len(missing) > 0 {
		remedy := delegate
		if !host.Rootless {
			remedy = "enable them for the engine: echo +" + strings.Join(missing, " +") + " | sudo tee /sys/fs/cgroup/cgroup.subtree_control"
		}
		return problem(onKind, remedy, "containers do not get the cgroup controllers %s", strings.Join(missing, ", "))
	}
	return ok("cgroup v2 with the controllers of the kubelet")
}

func processes(f Facts) []Finding {
	host := f.Engine.Host
	switch {
	case host == nil:
		return nil
	case host.PIDs == 0 || host.PIDs >= engine.EnoughPIDs:
		return ok("no limit of processes and threads that a node reaches")
	}
	remedy := "raise the limit in the settings of " + f.Engine.Name
	if f.Engine.Name == "podman" {
		remedy = "set pids_limit = 0 under [containers] in the file that CONTAINERS_CONF names, or unset CONTAINERS_CONF"
	}
	return warning(onKind, remedy, "a container can have %d processes and threads: enough for about %d Pods", host.PIDs, host.PIDs/engine.PIDsPerPod)
}

// missingControllers returns the needed controllers that the host does not have. It returns nil if
// the probe reported no controllers.
func missingControllers(host *engine.Host) []string {
	if len(host.Controllers) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(needed), func(c string) bool { return slices.Contains(host.Controllers, c) })
}
