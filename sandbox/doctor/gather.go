package doctor

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
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

	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/engine"
	"github.com/operator-tracing/sandbox/sandbox/port"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Subject is the sandbox to diagnose.
type Subject struct {
	Wanted Wanted
	// Ports are the requested ports, and Own the ports that the sandbox already uses.
	Ports, Own component.Ports
	// StateDir and Cache are the folders of the sandbox, which need not exist. StateErr is the
	// reason why StateDir cannot be used, if known.
	StateDir, Cache string
	StateErr        error
	// Builder has the state of the cache; nil if the sources were not found, for the reason in
	// SourcesErr.
	Builder    *build.Builder
	SourcesErr error
	// Operator is the program of the operator. Its Main is empty if the sandbox does not build it
	// or if it is unknown.
	Operator build.Program
}

// Slow contains the functions that take seconds. Gather skips nil fields.
type Slow struct {
	// Engine returns an engine that can start a privileged container.
	Engine func(context.Context) (*engine.Engine, error)
	// Registries are the hosts to check, and Answers checks one of them.
	Registries []string
	Answers    func(ctx context.Context, host string) error
}

// registryLimit is the timeout of the request to a registry. A firewall can drop its packets.
const registryLimit = 5 * time.Second

// engineLimit is the timeout of the search for an engine. The first search compiles the probe,
// which takes some seconds.
const engineLimit = 2 * time.Minute

// Gather collects facts. With a zero Slow, it takes some milliseconds, starts no process and sends
// no request. Facts that it cannot determine remain unknown.
func Gather(ctx context.Context, subject Subject, slow Slow) Facts {
	f := Facts{Wanted: subject.Wanted, Sources: subject.SourcesErr, Debian: subject.Builder.CanBuildNode()}
	f.System = lookAtSystem()
	f.Memory = lookAtMemory()
	f.Limits = lookAtLimits()
	f.Engine = Engine{Looked: true, Installed: engine.InstalledEngines()}
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

func (f *Facts) probe(ctx context.Context, find func(context.Context) (*engine.Engine, error)) {
	if len(f.Engine.Installed) == 0 {
		return
	}
	limited, cancel := context.WithTimeout(ctx, engineLimit)
	defer cancel()
	found, err := find(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("no engine started a container within %s: %w", engineLimit, err)
	}
	f.Engine.Probed, f.Engine.Err = true, err
	if err != nil {
		return
	}
	f.Engine.Name, f.Engine.Host = found.Name, found.Host
	host := found.Host
	if host.InotifyInstances > 0 { // The engine can run on another machine.
		f.Limits.InotifyInstances, f.Limits.InotifyWatches = host.InotifyInstances, host.InotifyWatches
	}
	if host.Free > 0 {
		f.Disks = append(f.Disks, Disk{What: EngineDisk, Path: found.Name, Free: host.Free})
	}
}

// missing returns the components of each mode that are not in the cache, and the ones among them
// that take long to build.
func missing(b *build.Builder, operator build.Program) (byMode map[Mode][]string, long []string) {
	byMode = map[Mode][]string{}
	for mode, parts := range map[Mode]build.Parts{
		KindByRegistry: build.RegistryParts, KindFromSource: build.SourceParts, Embedded: build.ProgramParts,
	} {
		names, slow := b.Missing(parts, operator)
		byMode[mode] = names
		long = append(long, slow...)
	}
	return byMode, long
}

// proxyVariables are the variables that Go programs and most other programs read.
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

// checkProxy validates the address of a proxy, whose scheme is optional. The error does not contain
// the address, because that can contain a password.
func checkProxy(address string) error {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	parsed, err := url.Parse(address)
	var reason *url.Error
	switch {
	case errors.As(err, &reason) && strings.Contains(reason.Err.Error(), "port"):
		return errors.New("port is not a number")
	case err != nil:
		return errors.New("not a valid address")
	case parsed.Hostname() == "":
		return errors.New("host is empty")
	case !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, parsed.Scheme):
		return fmt.Errorf("unsupported proxy scheme %q", parsed.Scheme)
	}
	return nil
}

func lookAtPorts(ctx context.Context, s Subject) []Port {
	var found []Port
	for _, p := range component.AllPorts() {
		number, own := s.Ports[p.Name], s.Own[p.Name]
		asked := number != 0
		if !asked {
			number = p.Number
		}
		if own == number || !asked && own != 0 {
			continue // The sandbox itself uses the port, or has already chosen another one.
		}
		err := port.Available(ctx, number)
		if err != nil && asked {
			_, err = port.Free(ctx, number) // This error names the holder of the port.
		}
		found = append(found, Port{Number: number, Asked: asked, Err: err})
	}
	return found
}

func lookAtDisks(s Subject) []Disk {
	disks := []Disk{lookAtDisk(StateDisk, s.StateDir, state.Remedy), lookAtDisk(CacheDisk, s.Cache, cache.Remedy)}
	if s.StateErr != nil {
		disks[0].Err = s.StateErr
	}
	if folder := goCache(); folder != "" {
		disks = append(disks, lookAtDisk(BuildDisk, folder, func(err error) error {
			return fmt.Errorf("%w; make it writable, or set GOCACHE to another folder", err)
		}))
	}
	return disks
}

// goCache returns the value of `go env GOCACHE`, or "" if unknown.
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

// lookAtGo reads the version from the binary, because running it would be slow.
func lookAtGo(b *build.Builder) Go {
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
		g.Version, _, _ = strings.Cut(info.GoVersion, " ") // The rest are experiments.
	}
	toolchain := os.Getenv("GOTOOLCHAIN")
	g.Downloads = toolchain == "" || strings.Contains(toolchain, "auto") || strings.Contains(toolchain, "path")
	return g
}
