package doctor

import (
	"fmt"
	"strings"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

func ok(format string, args ...any) []Finding {
	return []Finding{{Severity: OK, Summary: fmt.Sprintf(format, args...)}}
}

func warning(modes []Mode, remedy, format string, args ...any) []Finding {
	return []Finding{{Severity: Warning, Summary: fmt.Sprintf(format, args...), Remedy: remedy, Modes: modes}}
}

func problem(modes []Mode, remedy, format string, args ...any) []Finding {
	return []Finding{{Severity: Problem, Summary: fmt.Sprintf(format, args...), Remedy: remedy, Modes: modes}}
}

// size is a number of bytes for people.
func size(bytes uint64) string {
	if bytes < gib {
		return fmt.Sprintf("%d MiB", bytes/mib)
	}
	return fmt.Sprintf("%.1f GiB", float64(bytes)/gib)
}

// system says what this machine is, and leaves out what can't run on its like at all.
func system(f Facts) []Finding {
	s := f.System
	if s.OS == "" {
		return nil
	}
	words := []string{s.Distribution, s.OS + "/" + s.Arch, "kernel " + s.Kernel, fmt.Sprintf("%d processors", s.Processors)}
	if s.Distribution == "" {
		words = words[1:]
	}
	if s.WSL {
		words = append(words, "within Windows")
	}
	described := strings.Join(words, ", ")
	switch {
	case s.OS != "linux" && s.OS != "darwin":
		return problem(Modes(), "run it on Linux or macOS, or within WSL", "%s: the sandbox runs on Linux and macOS", described)
	case s.Arch != "amd64" && s.Arch != "arm64":
		return problem(Modes(), "run it on another machine", "%s: the sandbox knows amd64 and arm64", described)
	case s.Processors == 1:
		return warning(Modes(), "give this machine two processors", "%s: steps will be slow and may time out", described)
	}
	return ok("%s", described)
}

// sources finds that the program runs outside its repository, from which it builds the operator.
func sources(f Facts) []Finding {
	if f.Sources != nil {
		return problem(Modes(), "", "%v", f.Sources)
	}
	return nil
}

// openFiles: containerd, the kubelet and etcd run out of few open files, and say so in many ways.
func openFiles(f Facts) []Finding {
	const fewest = 4096
	limit, modes, remedy := f.Limits.OpenFiles, []Mode{Embedded}, "ulimit -n 65536 (as root: in /etc/security/limits.d, then log in again)"
	if host := f.Engine.Host; host != nil && host.NoFile > 0 && (limit == 0 || host.NoFile < limit) {
		limit, modes, remedy = host.NoFile, onKind, "raise it for the container engine: LimitNOFILE=65536 by `systemctl edit "+f.Engine.Name+"`"
	} else if limit > 0 && f.System.OS == "linux" {
		modes = Modes() // What the engine runs can have no more than podman has.
	}
	switch {
	case limit == 0:
		return nil
	case limit < fewest:
		return warning(modes, remedy, "at most %d open files for a process: components may fail with \"too many open files\"", limit)
	}
	return ok("at most %d open files for a process", limit)
}

// inotify: the kubelet, containerd and every watcher of certificates take an instance; editors and other clusters share the
// user's limit, and what comes last ends with "too many open files".
func inotify(f Facts) []Finding {
	const (
		fewestWatches = 8192
		fewestLeft    = 48 // instances of a node with everything in it, and some more
	)
	l := f.Limits
	if l.InotifyInstances == 0 {
		return nil
	}
	var commands []string
	left := l.InotifyInstances - min(l.InotifyUsed, l.InotifyInstances)
	if left < fewestLeft {
		commands = append(commands, "fs.inotify.max_user_instances=512")
	}
	if l.InotifyWatches < fewestWatches {
		commands = append(commands, "fs.inotify.max_user_watches=524288")
	}
	summary := fmt.Sprintf("at most %d inotify instances and %d watches for a user, %d instances in use", l.InotifyInstances, l.InotifyWatches, l.InotifyUsed)
	if len(commands) == 0 {
		return ok("%s", summary)
	}
	return warning(Modes(), "sudo sysctl -w "+strings.Join(commands, " "), "%s: components may fail with \"too many open files\"", summary)
}

// memory compares what is there with what the modes were seen to use: a node 2 GiB, the processes of an embedded cluster 1.2.
func memory(f Facts) []Finding {
	total, where := f.Memory.Total, "of memory"
	if f.Memory.Limit > 0 && f.Memory.Limit < total {
		total, where = f.Memory.Limit, "of memory allowed by the control group"
	}
	if total == 0 {
		return nil
	}
	least, enough := uint64(2*gib), uint64(4*gib)
	forKind, whose := total, where
	if host := f.Engine.Host; host != nil && host.Memory > 0 && host.Memory < total*7/8 {
		forKind, whose = host.Memory, "of memory for "+f.Engine.Name+" (in its virtual machine)"
	}
	found := amount(forKind, whose, onKind, least, enough)
	if embedded := amount(total, where, []Mode{Embedded}, least/2, enough/2); len(embedded) > 0 {
		if found = append(found, embedded...); total == forKind && found[0].Severity == embedded[0].Severity {
			found[0].Modes, found = Modes(), found[:1] // One finding says it all.
		}
	}
	switch available := f.Memory.Available; {
	case len(found) > 0:
		return found
	case available > 0 && available < 2*gib && f.Wanted.Fresh:
		return warning(Modes(), "end programs that you don't need now", "%s %s, but %s available now", size(total), where, size(available))
	}
	return ok("%s %s, %s available", size(total), where, size(f.Memory.Available))
}

func amount(total uint64, where string, modes []Mode, least, enough uint64) []Finding {
	// Machines have a little less than they are sold with.
	const slack = 15 // sixteenths
	remedy := "give this machine, or the engine's, " + size(enough) + " or more"
	switch {
	case total < least*slack/16:
		return problem(modes, remedy, "%s %s: too little to start", size(total), where)
	case total < enough*slack/16:
		return warning(modes, remedy, "%s %s: components may be killed", size(total), where)
	}
	return nil
}
