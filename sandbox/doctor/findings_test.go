package doctor

import "errors"

var machineFindings = []finding{
	{"another system", func(f *Facts) { f.System.OS = "freebsd" }, "system", Problem, "only Linux and macOS", "WSL", Modes()},
	{"another processor", func(f *Facts) { f.System.Arch = "riscv64" }, "system", Problem, "amd64 and arm64", "another machine", Modes()},
	{"one processor", func(f *Facts) { f.System.Processors = 1 }, "system", Warning, "1 processors", "two or more processors", Modes()},
	{"WSL", func(f *Facts) { f.System.WSL = true }, "system", OK, "WSL", "", nil},
	{"outside the repository", func(f *Facts) { f.Sources = errors.New("finding the repository; set --source") }, "sources", Problem, "--source", "", Modes()},
	{"few here", func(f *Facts) { f.Limits.OpenFiles, f.Engine.Host.NoFile = 1024, 0 }, "open files", Warning, "at most 1024", "ulimit -n", Modes()},
	{"few here, macOS", func(f *Facts) { f.System.OS, f.Limits.OpenFiles, f.Engine.Host.NoFile = "darwin", 256, 0 }, "open files", Warning, "at most 256", "ulimit -n", []Mode{Embedded}},
	{"few in the engine", func(f *Facts) { f.Engine.Host.NoFile = 1024 }, "open files", Warning, "at most 1024", "systemctl edit docker", onKind},
	{"instances used up", func(f *Facts) { f.Limits.InotifyInstances, f.Limits.InotifyUsed = 128, 120 }, "inotify", Warning,
		"at most 128 inotify instances", "sudo sysctl -w fs.inotify.max_user_instances=512", Modes()},
	{"more used than allowed", func(f *Facts) { f.Limits.InotifyInstances, f.Limits.InotifyUsed = 128, 200 }, "inotify", Warning,
		"200 instances in use", "max_user_instances=512", Modes()},
	{"few watches", func(f *Facts) { f.Limits.InotifyWatches = 1024 }, "inotify", Warning, "1024 watches", "sudo sysctl -w fs.inotify.max_user_watches=524288", Modes()},
	{"the usual limit, little used", func(f *Facts) { f.Limits.InotifyInstances, f.Limits.InotifyUsed = 128, 30 }, "inotify", OK, "30 instances in use", "", nil},
	{"far too little", func(f *Facts) { f.Memory.Total, f.Engine.Host.Memory = 512*mib, 512*mib }, "memory", Problem, "512 MiB of memory: not enough", "4.0 GiB or more", Modes()},
	{"too little for kind", func(f *Facts) { f.Memory.Total, f.Engine.Host.Memory = 1500*mib, 1500*mib }, "memory", Problem, "not enough to start", "4.0 GiB or more", onKind},
	{"little for kind", func(f *Facts) { f.Memory.Total, f.Engine.Host.Memory = 3*gib, 3*gib }, "memory", Warning, "can be killed", "4.0 GiB or more", onKind},
	{"a small virtual machine", func(f *Facts) { f.Engine.Host.Memory = 1 * gib }, "memory", Problem, "for docker (in its virtual machine)", "4.0 GiB", onKind},
	{"a small control group", func(f *Facts) { f.Memory.Limit, f.Engine.Host.Memory = 3*gib, 0 }, "memory", Warning, "allowed by the control group", "4.0 GiB", onKind},
	{"little available", func(f *Facts) { f.Memory.Available = 1 * gib }, "memory", Warning, "1.0 GiB available now", "stop programs", Modes()},
	{"little available, and the sandbox runs", func(f *Facts) { f.Memory.Available, f.Wanted.Fresh = 1*gib, false }, "memory", OK, "1.0 GiB available", "", nil},
	{"sold as 4 GiB", func(f *Facts) { f.Memory.Total, f.Engine.Host.Memory = 3950*mib, 3900*mib }, "memory", OK, "3.9 GiB", "", nil},
}

// failing changes the engine to one that fails with a message.
func failing(message string) func(*Facts) {
	return func(f *Facts) {
		f.Engine.Host = nil
		f.Engine.Err = errors.New(message)
	}
}

var engineFindings = []finding{
	{"none, Debian's root", func(f *Facts) { f.Engine = Engine{Looked: true} }, "engine", Problem, "not installed", "scripts/prerequisites.sh", onKind},
	{"none, Debian's user", func(f *Facts) { f.Engine, f.System.Root = Engine{Looked: true}, false }, "engine", Problem, "not installed", "sudo apt-get install podman", onKind},
	{"none, another Linux", func(f *Facts) { f.Engine, f.System.Apt = Engine{Looked: true}, false }, "engine", Problem, "not installed", "start Docker or podman", onKind},
	{"none, macOS", func(f *Facts) { f.Engine, f.System.OS = Engine{Looked: true}, "darwin" }, "engine", Problem, "not installed", "Docker Desktop", onKind},
	{"none, WSL", func(f *Facts) { f.Engine, f.System.WSL = Engine{Looked: true}, true }, "engine", Problem, "not installed", "WSL integration", onKind},
	{"not the requested one", func(f *Facts) { f.Wanted.Provider = "nerdctl" }, "engine", Problem, "requested engine nerdctl", "--provider", onKind},
	{"not tried", func(f *Facts) { f.Engine.Probed, f.Engine.Host = false, nil }, "engine", OK, "docker is installed", "", nil},
	{"not running", failing("docker: Cannot connect to the Docker daemon at unix:///var/run/docker.sock"), "engine", Problem, "Cannot connect", "sudo systemctl start docker", onKind},
	{"not running, macOS", func(f *Facts) { failing("Cannot connect to the Docker daemon")(f); f.System.OS = "darwin" }, "engine", Problem, "Cannot connect", "open -a Docker", onKind},
	{"not allowed", failing("docker: permission denied while trying to connect"), "engine", Problem, "permission denied", "usermod -aG docker", onKind},
	{"podman's machine", failing("podman: Cannot connect to Podman. Please verify your connection"), "engine", Problem, "Podman", "podman machine start", onKind},
	{"containerd", failing("nerdctl: cannot access containerd socket /run/containerd/containerd.sock"), "engine", Problem, "nerdctl", "systemctl start containerd", onKind},
	{"no user namespaces", failing("podman: newuidmap: not found"), "engine", Problem, "newuidmap", "install uidmap", onKind},
	{"no user ids", failing("podman: no subuid ranges found for user"), "engine", Problem, "subuid", "--add-subuids", onKind},
	{"no capabilities", failing("docker: unable to apply caps: operation not permitted"), "engine", Problem, "unable to apply caps", "--cluster=embedded", onKind},
	{"no privileges", failing("podman: the engine grants no privileges"), "engine", Problem, "no privileges", "runs as root", onKind},
	{"full", failing("docker: no space left on device"), "engine", Problem, "no space left", "system prune", onKind},
	{"something else", failing("docker: surprise"), "engine", Problem, "surprise", "--cluster=embedded", onKind},
	{"no CAP_SYS_RESOURCE", func(f *Facts) { f.Engine.Host.SysResource = false }, "privileges", Warning, "CAP_SYS_RESOURCE", "--images=source", []Mode{KindByRegistry}},
	{"rootless", func(f *Facts) { f.Engine.Host.Rootless, f.System.Root = true, false }, "privileges", OK, "rootless", "", nil},
	{"version 1", func(f *Facts) { f.Engine.Host.CgroupV2 = false }, "cgroups", Warning, "cgroup v1", "unified_cgroup_hierarchy=1", onKind},
	{"version 1 rootless", func(f *Facts) { f.Engine.Host.CgroupV2, f.Engine.Host.Rootless = false, true }, "cgroups", Problem, "needs cgroup v2", "unified_cgroup_hierarchy=1", onKind},
	{"not delegated", func(f *Facts) { f.Engine.Host.Controllers, f.Engine.Host.Rootless = []string{"memory", "pids"}, true }, "cgroups", Problem,
		"the cgroup controllers cpu", "Delegate=yes", onKind},
	{"not enabled", func(f *Facts) { f.Engine.Host.Controllers = []string{"cpu"} }, "cgroups", Problem, "memory, pids", "echo +memory +pids", onKind},
	{"few processes", func(f *Facts) { f.Engine.Host.PIDs = 2048 }, "processes", Warning, "about 58 Pods", "raise the limit", onKind},
	{"few processes of podman", func(f *Facts) { f.Engine.Name, f.Engine.Host.PIDs = "podman", 2048 }, "processes", Warning, "2048", "pids_limit = 0", onKind},
	{"many processes", func(f *Facts) { f.Engine.Host.PIDs = 32768 }, "processes", OK, "no limit", "", nil},
	{"an old probe", func(f *Facts) { f.Engine.Host.Controllers = nil }, "cgroups", OK, "cgroup v2", "", nil},
}

// on returns a function that changes the disk of a use.
func on(what string, change func(*Disk)) func(*Facts) {
	return func(f *Facts) {
		for i := range f.Disks {
			if f.Disks[i].What == what {
				change(&f.Disks[i])
			}
		}
	}
}

func free(bytes uint64) func(*Disk) { return func(d *Disk) { d.Free = bytes } }

func notWritable(d *Disk) { d.Err = errors.New("read-only file system; use another") }

// and combines changes.
func and(changes ...func(*Facts)) func(*Facts) {
	return func(f *Facts) {
		for _, change := range changes {
			change(f)
		}
	}
}

var storageFindings = []finding{
	{"state full", on(StateDisk, free(10*mib)), "disk", Problem, "10 MiB free in the state folder, /state", "--state-dir", Modes()},
	{"state full, and the sandbox is there", and(on(StateDisk, free(10*mib)), func(f *Facts) { f.Wanted.Fresh = false }), "disk", Warning, "10 MiB free", "--state-dir", Modes()},
	{"state nearly full", on(StateDisk, free(200*mib)), "disk", Warning, "200 MiB free in the state folder", "--state-dir", Modes()},
	{"state not writable", on(StateDisk, notWritable), "disk", Problem, "state folder: read-only file system; use another", "", Modes()},
	{"cache full, all built", on(CacheDisk, free(0)), "disk", OK, "0 MiB in the cache folder", "", nil},
	{"cache full, nothing built", and(emptyCache, on(CacheDisk, free(100*mib))), "disk", Problem, "100 MiB free in the cache folder", "XDG_CACHE_HOME", building},
	{"cache nearly full, nothing built", and(emptyCache, on(CacheDisk, free(3*gib))), "disk", Warning, "3.0 GiB free in the cache folder", "XDG_CACHE_HOME", building},
	{"cache nearly full, only the operator changed", func(f *Facts) {
		f.Missing = map[Mode][]string{Embedded: {"operator"}}
		on(CacheDisk, free(100*mib))(f)
	}, "disk", Warning, "100 MiB free in the cache folder", "XDG_CACHE_HOME", []Mode{Embedded}},
	{"cache not writable, all built", on(CacheDisk, notWritable), "disk", OK, "already built", "", nil},
	{"cache not writable, nothing built", and(emptyCache, on(CacheDisk, notWritable)), "disk", Problem, "cache folder: read-only", "", building},
	{"build cache full", and(emptyCache, on(BuildDisk, free(100*mib))), "disk", Problem, "100 MiB free in Go's build cache", "GOCACHE", building},
	{"engine full", on(EngineDisk, free(300*mib)), "disk", Problem, "300 MiB free in the engine's storage", "docker system prune", onKind},
	{"engine nearly full", on(EngineDisk, free(3*gib)), "disk", Warning, "3.0 GiB free in the engine's storage", "docker system prune", onKind},
}

var networkFindings = []finding{
	{"requested and in use", func(f *Facts) {
		f.Ports[0] = Port{Number: 8080, Asked: true, Err: errors.New("port 8080 on 127.0.0.1 is in use by nginx; stop it, or choose another port")}
	}, "ports", Problem, "in use by nginx", "", Modes()},
	{"usual and in use", func(f *Facts) { f.Ports[1].Err = errors.New("in use") }, "ports", OK, "4317 in use on 127.0.0.1", "", nil},
	{"a proxy", func(f *Facts) { f.Proxy.Variables = []string{"HTTPS_PROXY"} }, "proxy", OK, "HTTPS_PROXY is set", "", nil},
	{"invalid proxy", func(f *Facts) {
		f.Proxy = Proxy{Variables: []string{"HTTPS_PROXY"}, Err: errors.New("reading HTTPS_PROXY: invalid port")}
	},
		"proxy", Problem, "invalid port", "unset it", []Mode{KindByRegistry}},
	{"no answer", func(f *Facts) { f.Registries[1].Err = errors.New("no answer in time") }, "registries", Problem, "two.example: no answer", "HTTPS_PROXY", []Mode{KindByRegistry}},
	{"a proxy's page", func(f *Facts) {
		f.Proxy.Variables = []string{"HTTPS_PROXY"}
		f.Registries[0].Err = errors.New("a web page answers (200 OK), not a registry")
	}, "registries", Problem, "a web page answers", "correct HTTPS_PROXY", []Mode{KindByRegistry}},
	{"unknown certificate", func(f *Facts) {
		f.Registries[0].Err = errors.New("tls: failed to verify certificate: x509: certificate signed by unknown authority")
	}, "registries", Problem, "unknown authority", "SSL_CERT_FILE", []Mode{KindByRegistry}},
	{"a proxy's refusal", func(f *Facts) {
		f.Proxy.Variables = []string{"HTTPS_PROXY", "https_proxy"}
		f.Registries[0].Err = errors.New("the proxy 10.0.0.1:3128 was asked for the way there: Forbidden")
	}, "registries", Problem, "Forbidden", "correct HTTPS_PROXY, https_proxy (NO_PROXY", []Mode{KindByRegistry}},
	{"not signed in", func(f *Facts) { f.Registries[0].Err = errors.New("it answers 403 Forbidden") }, "registries", Problem, "403", "docker login", []Mode{KindByRegistry}},
	{"too many pulls", func(f *Facts) { f.Registries[0].Err = errors.New("it answers 429 Too Many Requests") }, "registries", Problem, "429", "wait", []Mode{KindByRegistry}},
	{"some answer", func(f *Facts) { f.Registries[0].Err = errors.New("gone") }, "registries", OK, "reachable: two.example", "", nil},
}

// building are the modes with missing components after emptyCache.
var building = []Mode{KindByRegistry, KindFromSource, Embedded}

var buildFindings = []finding{
	{"none, nothing built", and(emptyCache, func(f *Facts) { f.Go.Path, f.Go.Version = "", "" }), "Go", Problem,
		"no go command on PATH, and the cache does not contain node-init, operator, kubernetes and 2 more", "install Go 1.26.6", building},
	{"none, all built", func(f *Facts) { f.Go.Path, f.Go.Version = "", "" }, "Go", OK, "all components are already built", "", nil},
	{"too old, all built", func(f *Facts) { f.Go.Version = "go1.25.1" }, "Go", OK, "go1.25.1 is older than go.mod's go1.26.6", "", nil},
	{"too old", and(emptyCache, func(f *Facts) { f.Go.Version = "go1.25.1" }), "Go", Problem, "go1.25.1 is older", "GOTOOLCHAIN=auto", building},
	{"too old, downloads", and(emptyCache, func(f *Facts) { f.Go.Version, f.Go.Downloads = "go1.25.1", true }), "Go", OK, "downloads go1.26.6", "", nil},
	{"unknown version", func(f *Facts) { f.Go.Version = "" }, "Go", OK, "unknown version", "", nil},
	{"Debian's root", func(f *Facts) { f.Debian = errors.New("needs debootstrap") }, "node image", Problem, "needs debootstrap", "apt-get install debootstrap", []Mode{KindFromSource}},
	{"Debian's user", func(f *Facts) { f.Debian, f.System.Root = errors.New("needs root"), false }, "node image", Problem, "needs root", "as root", []Mode{KindFromSource}},
	{"another Linux", func(f *Facts) { f.Debian, f.System.Apt = errors.New("needs debootstrap"), false }, "node image", Problem, "debootstrap", "--images=registry", []Mode{KindFromSource}},
}
