package doctor

import (
	"slices"

	"github.com/operator-tracing/sandbox/sandbox/cluster"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Wanted is what the user asks of the sandbox, as far as it decides what must work. The words are those of the options.
type Wanted struct {
	Cluster  string // kind, embedded or auto
	Provider string // docker, podman, nerdctl or auto
	Images   string // registry, source, auto, or FromBundle
	// Fresh is whether the sandbox has to be made. One that is there already has its ports and room for its data.
	Fresh bool
}

// FromBundle is what Wanted's Images are where they come from a bundle.
const FromBundle = "bundle"

// examined are the modes that there are a verdict on: with a bundle nobody looks at what the others need.
func (w Wanted) examined() []Mode {
	return slices.DeleteFunc(Modes(), func(m Mode) bool { return (m == KindFromBundle) != (w.Images == FromBundle) })
}

// modes are those that `sandbox up` would consider, the preferred one first.
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

// Facts are what is known of a machine. The zero value of a field means that nobody looked, or could not.
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
	Debian  error // why this machine can't build a node's image, see image.CanBuildNode
	Sources error // why the repository was not found

	Registries []Registry
	// Missing are what each mode needs and the cache lacks.
	Missing map[Mode][]string
	// Long are those of Missing that take minutes to build.
	Long []string
}

// building lists the modes that have to build or get something first.
func (f Facts) building() []Mode {
	return slices.DeleteFunc(Modes(), func(m Mode) bool { return len(f.Missing[m]) == 0 })
}

// System is the machine itself.
type System struct {
	OS, Arch     string // GOOS and GOARCH
	Distribution string // for people: Debian GNU/Linux 12 (bookworm)
	Kernel       string
	Processors   int
	Root         bool
	// Apt is whether packages are installed with apt-get.
	Apt bool
	// WSL is whether Linux runs within Windows.
	WSL bool
}

// Engine is the container engine.
type Engine struct {
	// Looked is whether Installed is known.
	Looked bool
	// Installed are the engines whose clients are on PATH.
	Installed []string
	// Probed is whether an engine was made to start a container; Host or Err came of it.
	Probed bool
	Name   string
	Host   *cluster.Host
	Err    error
}

// Limits are those of a process.
type Limits struct {
	OpenFiles uint64 // the hard limit
	// InotifyInstances and InotifyWatches are the most that one user may have; InotifyUsed is how many instances the
	// user under whom the node or the processes would run has now.
	InotifyInstances, InotifyWatches, InotifyUsed uint64
}

// Memory is in bytes.
type Memory struct {
	Total, Available uint64
	// Limit is the control group's; 0 for none.
	Limit uint64
}

// Disk is the file system below a folder that is written to.
type Disk struct {
	// What is the folder's use: state, cache, Go's build cache, or the engine's storage.
	What, Path string
	Free       uint64 // bytes
	// Err is why it can't be written.
	Err error
}

// The uses of disks.
const (
	StateDisk  = "state folder"
	CacheDisk  = "cache folder"
	BuildDisk  = "Go's build cache"
	EngineDisk = "engine's storage"
)

// Port is one of Jaeger's on 127.0.0.1.
type Port struct {
	Number int
	// Asked is whether the user asked for this number.
	Asked bool
	// Err is why it can't be had; nil if it is free.
	Err error
}

// Proxy is what the environment says about proxies.
type Proxy struct {
	// Variables are the names of those that are set.
	Variables []string
	// Err is why what they say can't be used.
	Err error
}

// Registry is a host that images are pulled from.
type Registry struct {
	Host string
	// Err is why it does not answer as a registry does.
	Err error
}

// Go is the go command.
type Go struct {
	// Looked is whether Path is known.
	Looked bool
	Path   string // empty where there is none
	// Version is the command's, as go1.26.1; empty where it can't be read. Wanted is what go.mod asks for.
	Version, Wanted string
	// Downloads is whether the command gets the version that it needs by itself (GOTOOLCHAIN).
	Downloads bool
}

// portsOf lists Jaeger's ports as they were asked for.
func portsOf(wanted state.Ports) []int {
	return []int{wanted.UI, wanted.Query, wanted.OTLPGRPC, wanted.OTLPHTTP, wanted.Thrift}
}
