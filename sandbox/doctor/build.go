package doctor

import (
	"fmt"
	"go/version"
	"slices"
	"strings"
)

// goCommand compares the version of the go command with go.mod. A mismatch is a problem only if a
// component must be built.
func goCommand(f Facts) []Finding {
	g, building := f.Go, f.building()
	if !g.Looked {
		return nil
	}
	install := "install Go " + strings.TrimPrefix(g.Wanted, "go")
	switch {
	case g.Path == "" && len(building) > 0:
		return problem(building, install+", and add it to PATH", "no go command on PATH, and %s", lacks(f, building))
	case g.Path == "":
		return ok("no go command on PATH; all components are already built")
	case g.Version == "":
		return ok("%s, unknown version", g.Path)
	case version.Compare(g.Version, g.Wanted) >= 0:
		return ok("%s, go.mod requires %s", g.Version, g.Wanted)
	case g.Downloads:
		return ok("%s; it downloads %s, which go.mod requires", g.Version, g.Wanted)
	case len(building) > 0:
		return problem(building, install+", or set GOTOOLCHAIN=auto", "%s is older than go.mod's %s, and %s", g.Version, g.Wanted, lacks(f, building))
	}
	return ok("%s is older than go.mod's %s; all components are already built", g.Version, g.Wanted)
}

func lacks(f Facts, modes []Mode) string {
	const most = 3
	var names []string
	for _, mode := range modes {
		for _, name := range f.Missing[mode] {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("the cache does not contain %s and %d more", strings.Join(names[:most], ", "), more)
	}
	return "the cache does not contain " + join(names)
}

func nodeImage(f Facts) []Finding {
	if f.Debian == nil {
		if f.System.OS == "linux" {
			return ok("can be built from source")
		}
		return nil
	}
	remedy := "use --images=registry if a registry is reachable, or --cluster=embedded"
	switch {
	case f.System.Apt && f.System.Root:
		remedy = "apt-get install debootstrap"
	case f.System.Apt:
		remedy = "sudo apt-get install mmdebstrap uidmap, or install debootstrap and run this command as root; or use --cluster=embedded"
	}
	return problem([]Mode{KindFromSource}, remedy, "%v", f.Debian)
}
