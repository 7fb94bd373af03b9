package doctor

import (
	"fmt"
	"go/version"
	"slices"
	"strings"
)

// goCommand compares the go command with what go.mod asks for, where something is to be built.
func goCommand(f Facts) []Finding {
	g, building := f.Go, f.building()
	if !g.Looked {
		return nil
	}
	install := "install Go " + strings.TrimPrefix(g.Wanted, "go")
	switch {
	case g.Path == "" && len(building) > 0:
		return problem(building, install+", and put it on PATH", "there is no go command, and %s", lacks(f, building))
	case g.Path == "":
		return ok("there is no go command; everything is built already")
	case g.Version == "":
		return ok("%s, of a version that can't be read", g.Path)
	case version.Compare(g.Version, g.Wanted) >= 0:
		return ok("%s, go.mod wants %s", g.Version, g.Wanted)
	case g.Downloads:
		return ok("%s; it gets %s, which go.mod wants, by itself", g.Version, g.Wanted)
	case len(building) > 0:
		return problem(building, install+", or set GOTOOLCHAIN=auto", "%s is older than go.mod's %s, and %s", g.Version, g.Wanted, lacks(f, building))
	}
	return ok("%s is older than go.mod's %s; everything is built already", g.Version, g.Wanted)
}

// lacks says what is not in the cache, in a few words.
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
		return fmt.Sprintf("the cache lacks %s and %d more", strings.Join(names[:most], ", "), more)
	}
	return "the cache lacks " + join(names)
}

// nodeImage finds out whether kind's node can be built here.
func nodeImage(f Facts) []Finding {
	if f.Debian == nil {
		if f.System.OS == "linux" {
			return ok("can be built from source here")
		}
		return nil
	}
	remedy := "use --images=registry where a registry answers, or --cluster=embedded"
	switch {
	case f.System.Apt && f.System.Root:
		remedy = "apt-get install debootstrap"
	case f.System.Apt:
		remedy = "sudo apt-get install debootstrap, and run this as root; or use --cluster=embedded"
	}
	return problem([]Mode{KindFromSource}, remedy, "%v", f.Debian)
}
