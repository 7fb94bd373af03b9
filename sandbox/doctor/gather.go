package doctor

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/modfile"

	"github.com/operator-tracing/sandbox/sandbox/cluster"
	"github.com/operator-tracing/sandbox/sandbox/image"
	"github.com/operator-tracing/sandbox/sandbox/port"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Subject is the sandbox whose prospects are looked at.
type Subject struct {
	Wanted Wanted
	// Ports are those that were asked for; Own those that the sandbox has already.
	Ports, Own state.Ports
	// StateDir and Cache are its folders, which need not exist. StateErr is why StateDir can't be used, if that is known.
	StateDir, Cache string
	StateErr        error
	// Builder knows what is built; nil where the sources were not found, for the reason in SourcesErr.
	Builder    *image.Builder
	SourcesErr error
	// Operator is how the operator is built; its Main is empty where it is not, or that is not known.
	Operator image.Program
}

// Slow is what takes seconds to find out. A nil field is left out.
type Slow struct {
	// Engine finds an engine in which a privileged container starts.
	Engine func(context.Context) (*cluster.Engine, error)
	// Registries are the hosts to ask, Answers asks one.
	Registries []string
	Answers    func(ctx context.Context, host string) error
}

// registryLimit bounds the question to one registry. Behind a firewall that drops packets, nobody answers at all.
const registryLimit = 5 * time.Second

// engineLimit bounds the search for an engine that works: a first one compiles the probe, which takes some seconds.
const engineLimit = 2 * time.Minute

// Gather collects facts. With no Slow part it takes some milliseconds, starts nothing and asks nobody. What can't be found
// out stays unknown: it is no error.
func Gather(ctx context.Context, subject Subject, slow Slow) Facts {
	f := Facts{Wanted: subject.Wanted, Sources: subject.SourcesErr, Debian: image.CanBuildNode()}
	f.System = lookAtSystem()
	f.Memory = lookAtMemory()
	f.Limits = lookAtLimits()
	f.Engine = Engine{Looked: true, Installed: cluster.InstalledEngines()}
	f.Proxy = lookAtProxy()
	f.Ports = lookAtPorts(ctx, subject)
	f.Go = lookAtGo(subject.Builder)
	if subject.Builder != nil {
		f.Missing, f.Long = missing(subject.Builder, subject.Operator)
	}
	f.Disks = lookAtDisks(subject)
	var waiting sync.WaitGroup
	if slow.Engine != nil {
		f.Limits.InotifyUsed = inotifyInUse()
		waiting.Go(func() { f.probe(ctx, slow.Engine) })
	}
	if slow.Answers != nil {
		f.Registries = make([]Registry, len(slow.Registries))
		for i, host := range slow.Registries {
			waiting.Go(func() {
				ctx, cancel := context.WithTimeout(ctx, registryLimit)
				defer cancel()
				f.Registries[i] = Registry{Host: host, Err: slow.Answers(ctx, host)}
			})
		}
	}
	waiting.Wait()
	return f
}

// probe starts a container, if there is an engine to do it.
func (f *Facts) probe(ctx context.Context, find func(context.Context) (*cluster.Engine, error)) {
	if len(f.Engine.Installed) == 0 {
		return
	}
	limited, cancel := context.WithTimeout(ctx, engineLimit)
	defer cancel()
	found, err := find(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("no engine has started a container within %s: %w", engineLimit, err)
	}
	f.Engine.Probed, f.Engine.Err = true, err
	if err != nil {
		return
	}
	f.Engine.Name, f.Engine.Host = found.Name, found.Host
	host := found.Host
	if host.InotifyInstances > 0 { // Those of the engine's machine, if that is another.
		f.Limits.InotifyInstances, f.Limits.InotifyWatches = host.InotifyInstances, host.InotifyWatches
	}
	if host.Free > 0 {
		f.Disks = append(f.Disks, Disk{What: EngineDisk, Path: found.Name, Free: host.Free})
	}
}

// missing says what each mode lacks in the cache.
func missing(b *image.Builder, operator image.Program) (lacking map[Mode][]string, long []string) {
	lacking = map[Mode][]string{}
	for mode, parts := range map[Mode]image.Parts{
		KindByRegistry: image.RegistryParts, KindFromSource: image.SourceParts, Embedded: image.ProgramParts,
	} {
		names, slow := b.Missing(parts, operator)
		lacking[mode] = names
		long = append(long, slow...)
	}
	return lacking, long
}

// proxyVariables are those that Go's and most other programs read.
var proxyVariables = []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"}

func lookAtProxy() Proxy {
	var p Proxy
	for _, name := range proxyVariables {
		value := os.Getenv(name)
		if value == "" {
			continue
		}
		p.Variables = append(p.Variables, name)
		if err := checkProxy(value); err != nil && p.Err == nil {
			p.Err = fmt.Errorf("reading %s: %w", name, err)
		}
	}
	return p
}

// checkProxy finds addresses that no request can be sent to. A scheme may be left out. The error does not repeat the address,
// which may have a password.
func checkProxy(address string) error {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	parsed, err := url.Parse(address)
	var reason *url.Error
	switch {
	case errors.As(err, &reason) && strings.Contains(reason.Err.Error(), "port"):
		return errors.New("its port is no number")
	case err != nil:
		return errors.New("it is no address")
	case parsed.Hostname() == "":
		return errors.New("it names no host")
	case !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, parsed.Scheme):
		return fmt.Errorf("the scheme %s is none of a proxy", parsed.Scheme)
	}
	return nil
}

func lookAtPorts(ctx context.Context, s Subject) []Port {
	var found []Port
	own := portsOf(s.Own)
	usual := portsOf(port.Usual())
	for i, number := range portsOf(s.Ports) {
		asked := number != 0
		if !asked {
			number = usual[i]
		}
		if own[i] == number || !asked && own[i] != 0 {
			continue // The sandbox listens there itself, or need not choose.
		}
		err := port.Available(ctx, number)
		if err != nil && asked {
			_, err = port.Free(ctx, number) // This error tells who has it.
		}
		found = append(found, Port{Number: number, Asked: asked, Err: err})
	}
	return found
}

func lookAtDisks(s Subject) []Disk {
	disks := []Disk{lookAtDisk(StateDisk, s.StateDir, state.Remedy), lookAtDisk(CacheDisk, s.Cache, image.Remedy)}
	if s.StateErr != nil {
		disks[0].Err = s.StateErr
	}
	if folder := goCache(); folder != "" {
		disks = append(disks, lookAtDisk(BuildDisk, folder, func(err error) error {
			return fmt.Errorf("%w; make it writable, or name another folder by GOCACHE", err)
		}))
	}
	return disks
}

// goCache is the folder that `go env GOCACHE` tells, or "".
func goCache() string {
	if folder := os.Getenv("GOCACHE"); folder != "" {
		return folder
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(base, "go-build")
}

// lookAtGo reads the version out of the binary: running it would take as long as all the rest.
func lookAtGo(b *image.Builder) Go {
	g := Go{Looked: true, Wanted: runtime.Version()}
	if b != nil {
		if data, err := os.ReadFile(filepath.Join(b.Root, "go.mod")); err == nil {
			if parsed, err := modfile.ParseLax("go.mod", data, nil); err == nil && parsed.Go != nil {
				g.Wanted = "go" + parsed.Go.Version
			}
		}
	}
	path, err := exec.LookPath("go")
	if err != nil {
		return g
	}
	g.Path = path
	if info, err := buildinfo.ReadFile(path); err == nil {
		g.Version, _, _ = strings.Cut(info.GoVersion, " ") // What follows are experiments.
	}
	toolchain := os.Getenv("GOTOOLCHAIN")
	g.Downloads = toolchain == "" || strings.Contains(toolchain, "auto") || strings.Contains(toolchain, "path")
	return g
}

// Reachable asks a registry whether it is one, by the first request of every client. It needs no credentials.
func Reachable(client *http.Client) func(ctx context.Context, host string) error {
	return func(ctx context.Context, host string) error { return image.Ping(ctx, client, host) }
}
