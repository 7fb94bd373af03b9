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

func size(bytes uint64) string {
	if bytes < gib {
		return fmt.Sprintf("%d MiB", bytes/mib)
	}
	return fmt.Sprintf("%.1f GiB", float64(bytes)/gib)
}

// system describes the machine and checks that it is supported.
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
		words = append(words, "WSL")
	}
	described := strings.Join(words, ", ")
	switch {
	case s.OS != "linux" && s.OS != "darwin":
		return problem(Modes(), "run the sandbox on Linux, macOS or WSL", "%s: the sandbox supports only Linux and macOS", described)
	case s.Arch != "amd64" && s.Arch != "arm64":
		return problem(Modes(), "run the sandbox on another machine", "%s: the sandbox supports only amd64 and arm64", described)
	case s.Processors == 1:
		return warning(Modes(), "use a machine with two or more processors", "%s: steps are slow and can time out", described)
	}
	return ok("%s", described)
}

// sources checks that the repository was found, from which the program builds the operator.
func sources(f Facts) []Finding {
	if f.Sources != nil {
		return problem(Modes(), "", "%v", f.Sources)
	}
	return nil
}

// openFiles checks the limit of open files. If it is low, containerd, the kubelet and etcd fail
// with various errors.
func openFiles(f Facts) []Finding {
	const fewest = 4096
	limit, modes, remedy := f.Limits.OpenFiles, []Mode{Embedded}, "ulimit -n 65536 (as root: in /etc/security/limits.d, then log in again)"
	if host := f.Engine.Host; host != nil && host.NoFile > 0 && (limit == 0 || host.NoFile < limit) {
		limit, modes, remedy = host.NoFile, onKind, "raise the limit of the container engine: set LimitNOFILE=65536 with `systemctl edit "+f.Engine.Name+"`"
	} else if limit > 0 && f.System.OS == "linux" {
		modes = Modes() // The limit of podman also applies to its containers.
	}
	switch {
	case limit == 0:
		return nil
	case limit < fewest:
		return warning(modes, remedy, "at most %d open files for a process: components can fail with \"too many open files\"", limit)
	}
	return ok("at most %d open files for a process", limit)
}

// inotify checks the inotify limits of the user. The kubelet, containerd and every certificate
// watcher use an instance, and editors and other clusters share the limit. Programs above the limit
// fail with "too many open files".
func inotify(f Facts) []Finding {
	const (
		fewestWatches = 8192
		fewestLeft    = 48 // more than the instances of a complete node
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
	return warning(Modes(), "sudo sysctl -w "+strings.Join(commands, " "), "%s: components can fail with \"too many open files\"", summary)
}

// memory compares the memory with the measured usage: a node uses 2 GiB, the processes of an
// embedded cluster use 1.2 GiB.
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
			found[0].Modes, found = Modes(), found[:1] // Merge both into one finding.
		}
	}
	switch available := f.Memory.Available; {
	case len(found) > 0:
		return found
	case available > 0 && available < 2*gib && f.Wanted.Fresh:
		return warning(Modes(), "stop programs that you do not need", "%s %s, but %s available now", size(total), where, size(available))
	}
	return ok("%s %s, %s available", size(total), where, size(f.Memory.Available))
}

func amount(total uint64, where string, modes []Mode, least, enough uint64) []Finding {
	// Machines report slightly less than their nominal memory.
	const slack = 15 // sixteenths
	remedy := "use a machine or engine with " + size(enough) + " or more"
	switch {
	case total < least*slack/16:
		return problem(modes, remedy, "%s %s: not enough to start", size(total), where)
	case total < enough*slack/16:
		return warning(modes, remedy, "%s %s: components can be killed", size(total), where)
	}
	return nil
}
