package doctor

import (
	"slices"

	"github.com/operator-tracing/sandbox/sandbox/engine"
)

// Wanted are the options that determine which modes are considered. The values are the values of
// the flags.
type Wanted struct {
	Cluster  string // kind, embedded or auto
	Provider string // docker, podman, nerdctl or auto
	Images   string // registry, source, auto, or FromBundle
	// Fresh is true if the sandbox must be created. An existing sandbox already has its ports and
	// disk space.
	Fresh bool
	// BundledPrograms is true if the bundle has the programs of an embedded cluster.
	BundledPrograms bool
}

// FromBundle is the value of Wanted.Images for a bundle.
const FromBundle = "bundle"

// examined returns the modes that get a verdict: only the modes of the bundle if there is one,
// otherwise all others.
func (w Wanted) examined() []Mode {
	return slices.DeleteFunc(Modes(), func(m Mode) bool {
		if w.Images == FromBundle {
			return m != KindFromBundle && (m != Embedded || !w.BundledPrograms)
		}
		return m == KindFromBundle
	})
}

// modes returns the modes that `sandbox up` would consider, most preferred first.
func (w Wanted) modes() []Mode {
	var modes []Mode
	for _, mode := range w.examined() {
		switch {
		case mode == Embedded && (w.Cluster == "kind" || w.Cluster == "auto" && (w.Provider != "auto" || w.Images == "registry")),
			mode != Embedded && w.Cluster == "embedded",
			mode == KindByRegistry && w.Images == "source",
			mode == KindFromSource && w.Images == "registry":
			continue
		}
		modes = append(modes, mode)
	}
	return modes
}

// Facts are the known facts about a machine. The zero value of a field means unknown.
type Facts struct {
	Wanted  Wanted
	System  System
	Engine  Engine
	Limits  Limits
	Memory  Memory
	Disks   []Disk
	Ports   []Port
	Proxy   Proxy
	Go      Go
	Debian  error // the reason why this machine cannot build a node image; see build.Builder.CanBuildNode
	Sources error // the reason why the repository was not found

	Registries []Registry
	// Missing are the components that each mode requires and that are not in the cache.
	Missing map[Mode][]string
	// Long are the components in Missing that take minutes to build.
	Long []string
}

// building returns the modes that must build or fetch a component first.
func (f Facts) building() []Mode {
	return slices.DeleteFunc(Modes(), func(m Mode) bool { return len(f.Missing[m]) == 0 })
}

// System describes the machine.
type System struct {
	OS, Arch     string // GOOS and GOARCH
	Distribution string // for example Debian GNU/Linux 12 (bookworm)
	Kernel       string
	Processors   int
	Root         bool
	// Apt is true if apt-get exists.
	Apt bool
	// WSL is true if Linux runs in the Windows Subsystem for Linux.
	WSL bool
}

// Engine describes the container engine.
type Engine struct {
	// Looked is true if Installed is known.
	Looked bool
	// Installed are the engines with a client on PATH.
	Installed []string
	// Probed is true if the probe container was started, with the result in Host or Err.
	Probed bool
	Name   string
	Host   *engine.Host
	Err    error
}

// Limits are the limits of a process and its user.
type Limits struct {
	OpenFiles uint64 // the hard limit
	// InotifyInstances and InotifyWatches are the limits of a user. InotifyUsed is the number of
	// instances in use by the user that runs the node or the processes.
	InotifyInstances, InotifyWatches, InotifyUsed uint64
}

// Memory is in bytes.
type Memory struct {
	Total, Available uint64
	// Limit is the limit of the control group; 0 for none.
	Limit uint64
}

// Disk is the file system of a folder that the sandbox writes to.
type Disk struct {
	// What is the use of the folder, for example [StateDisk].
	What, Path string
	Free       uint64 // bytes
	// Err is the reason why the folder is not writable.
	Err error
}

// The uses of disks.
const (
	StateDisk  = "state folder"
	CacheDisk  = "cache folder"
	BuildDisk  = "Go's build cache"
	EngineDisk = "engine's storage"
)

// Port is a port of Jaeger on 127.0.0.1.
type Port struct {
	Number int
	// Asked is true if the user requested this number.
	Asked bool
	// Err is the reason why the port is not available; nil if it is free.
	Err error
}

// Proxy is the proxy configuration in the environment.
type Proxy struct {
	// Variables are the names of the proxy variables that are set.
	Variables []string
	// Err is the reason why a value is invalid.
	Err error
}

// Registry is an image registry.
type Registry struct {
	Host string
	// Err is the error of a request to the registry.
	Err error
}

// Go describes the go command.
type Go struct {
	// Looked is true if Path is known.
	Looked bool
	Path   string // empty if there is no go command
	// Version is the version of the command, for example go1.26.1; empty if unknown. Wanted is the
	// version in go.mod.
	Version, Wanted string
	// Downloads is true if the command can download the wanted version (GOTOOLCHAIN).
	Downloads bool
}
