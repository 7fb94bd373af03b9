package doctor

import (
	"fmt"

	"github.com/operator-tracing/sandbox/sandbox/image"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// need is how much room a use takes.
type need struct {
	modes         []Mode
	least, enough uint64
	remedy        string
}

// disks compares the room that there is with what is needed, and finds folders that can't be written.
func disks(f Facts) []Finding {
	var found []Finding
	var room []string
	for _, d := range f.Disks {
		n := needOf(d, f)
		switch {
		case d.Err != nil && len(n.modes) > 0:
			found = append(found, problem(n.modes, "", "%s: %v", d.What, d.Err)...)
			continue
		case d.Err != nil:
			found = append(found, ok("%s can't be written, and need not be: everything is built already", the(d.What))...)
			continue
		case len(n.modes) == 0: // However little there is.
		case d.Free < n.least:
			found = append(found, problem(n.modes, n.remedy, "%s free in %s, %s", size(d.Free), the(d.What), d.Path)...)
			continue
		case d.Free < n.enough:
			found = append(found, warning(n.modes, n.remedy, "%s free in %s, %s: %s would be safe", size(d.Free), the(d.What), d.Path, size(n.enough))...)
			continue
		}
		room = append(room, fmt.Sprintf("%s in %s", size(d.Free), the(d.What)))
	}
	if len(room) > 0 {
		found = append(found, Finding{Severity: OK, Summary: "free are " + join(room)})
	}
	return found
}

// the is a disk's use within a sentence.
func the(what string) string {
	if what == BuildDisk {
		return what
	}
	return "the " + what
}

// needOf is what a disk must offer. What is built already needs no more room.
func needOf(d Disk, f Facts) need {
	switch d.What {
	case StateDisk:
		n := need{modes: Modes(), enough: 512 * mib, remedy: state.RoomRemedy}
		if f.Wanted.Fresh {
			n.least = 64 * mib // Two of etcd's logs, which it makes in advance. A sandbox that is there has its own.
		}
		return n
	case CacheDisk, BuildDisk:
		n := need{modes: f.building(), least: 64 * mib, enough: 512 * mib, remedy: image.RoomRemedy}
		if len(f.Long) > 0 {
			n.least, n.enough = 512*mib, 6*gib
		}
		if d.What == BuildDisk {
			n.remedy = "make room there (`go clean -cache` empties it), or name another folder by GOCACHE"
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
