package doctor

import (
	"fmt"

	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

type need struct {
	modes         []Mode
	least, enough uint64
	remedy        string
}

// disks compares the free disk space with the required space, and checks that folders are writable.
func disks(f Facts) []Finding {
	var found []Finding
	var free []string
	for _, d := range f.Disks {
		n := needOf(d, f)
		switch {
		case d.Err != nil && len(n.modes) > 0:
			found = append(found, problem(n.modes, "", "%s: %v", d.What, d.Err)...)
			continue
		case d.Err != nil:
			found = append(found, ok("%s is not writable, but all components are already built", the(d.What))...)
			continue
		case len(n.modes) == 0: // No space is required.
		case d.Free < n.least:
			found = append(found, problem(n.modes, n.remedy, "%s free in %s, %s", size(d.Free), the(d.What), d.Path)...)
			continue
		case d.Free < n.enough:
			found = append(found, warning(n.modes, n.remedy, "%s free in %s, %s: %s recommended", size(d.Free), the(d.What), d.Path, size(n.enough))...)
			continue
		}
		free = append(free, fmt.Sprintf("%s in %s", size(d.Free), the(d.What)))
	}
	if len(free) > 0 {
		found = append(found, Finding{Severity: OK, Summary: "free: " + join(free)})
	}
	return found
}

func the(what string) string {
	if what == BuildDisk {
		return what
	}
	return "the " + what
}

// needOf returns the required space of a disk. Components that are already built need no more
// space.
func needOf(d Disk, f Facts) need {
	switch d.What {
	case StateDisk:
		n := need{modes: Modes(), enough: 512 * mib, remedy: state.RoomRemedy}
		if f.Wanted.Fresh {
			n.least = 64 * mib // etcd preallocates two logs. An existing sandbox already has them.
		}
		return n
	case CacheDisk, BuildDisk:
		n := need{modes: f.building(), least: 64 * mib, enough: 512 * mib, remedy: cache.RoomRemedy}
		if len(f.Long) > 0 {
			n.least, n.enough = 512*mib, 6*gib
		}
		if d.What == BuildDisk {
			n.remedy = "make room there (`go clean -cache` empties it), or set GOCACHE to another folder"
		}
		return n
	case EngineDisk:
		return need{modes: onKind, least: 1 * gib, enough: 4 * gib, remedy: "make room there: `" + f.Engine.Name + " system prune`"}
	}
	return need{}
}

func join(words []string) string {
	text := ""
	for i, w := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			text += " and "
		default:
			text += ", "
		}
		text += w
	}
	return text
}
