package doctor

import (
	"slices"
	"strings"
)

// Severity says how bad a finding is.
type Severity string

// The severities.
const (
	OK      Severity = "ok"
	Warning Severity = "warning" // it works, but slowly, not for long, or not always
	Problem Severity = "problem" // the modes that the finding names can't run
)

// Mode is a way to run a sandbox.
type Mode string

// The modes, in the order in which `sandbox up` prefers them where the user asks for none.
const (
	KindFromBundle Mode = "kind from a bundle" // considered only where a bundle is asked for, and then no other is
	KindByRegistry Mode = "kind by registry"
	KindFromSource Mode = "kind from source"
	Embedded       Mode = "embedded"
)

// Modes lists all modes.
func Modes() []Mode { return []Mode{KindFromBundle, KindByRegistry, KindFromSource, Embedded} }

// onKind are those that need a container engine.
var onKind = []Mode{KindFromBundle, KindByRegistry, KindFromSource}

// Finding is what one check found. Its JSON form is part of what `sandbox doctor -o json` prints.
type Finding struct {
	// Check is the name of the check.
	Check    string   `json:"check"`
	Severity Severity `json:"severity"`
	// Summary is what was found, in one line.
	Summary string `json:"summary"`
	// Remedy is the command that mends it, or what else to do; empty where nothing is wrong.
	Remedy string `json:"remedy,omitempty"`
	// Modes are those that a problem prevents, or a warning concerns; empty for none.
	Modes []Mode `json:"modes,omitempty"`
}

// Verdict says whether a mode can run.
type Verdict struct {
	Mode   Mode `json:"mode"`
	CanRun bool `json:"canRun"`
	// Why names the checks that found the problems which prevent the mode.
	Why []string `json:"why,omitempty"`
	// ToBuild names what has to be built or got first, because the cache lacks it.
	ToBuild []string `json:"toBuild,omitempty"`
}

// Report is what an examination came to. Its JSON form is what `sandbox doctor -o json` prints.
type Report struct {
	Findings []Finding `json:"findings"`
	Verdicts []Verdict `json:"modes"`
	// Chosen is the mode that `sandbox up` with the same options would take; empty if none of those can run.
	Chosen Mode `json:"chosen,omitempty"`
}

// check judges facts. What was not looked at, it says nothing about.
type check struct {
	name  string
	judge func(Facts) []Finding
}

// checks is everything that is examined, in the order in which it is shown.
var checks = []check{
	{"system", system},
	{"sources", sources},
	{"engine", engine},
	{"privileges", privileges},
	{"cgroups", cgroups},
	{"open files", openFiles},
	{"inotify", inotify},
	{"memory", memory},
	{"disk", disks},
	{"ports", ports},
	{"proxy", proxy},
	{"registries", registries},
	{"Go", goCommand},
	{"node image", nodeImage},
}

// Examine judges facts.
func Examine(facts Facts) Report {
	report := Report{Findings: []Finding{}} // Not nil: in JSON it is a list, be it empty.
	for _, c := range checks {
		for _, f := range c.judge(facts) {
			f.Check = c.name
			report.Findings = append(report.Findings, f)
		}
	}
	allowed := facts.Wanted.modes()
	for _, mode := range facts.Wanted.examined() {
		verdict := Verdict{Mode: mode, CanRun: true, ToBuild: facts.Missing[mode]}
		for _, f := range report.Findings {
			if f.Severity == Problem && slices.Contains(f.Modes, mode) {
				verdict.CanRun = false
				if !slices.Contains(verdict.Why, f.Check) {
					verdict.Why = append(verdict.Why, f.Check)
				}
			}
		}
		report.Verdicts = append(report.Verdicts, verdict)
		if verdict.CanRun && report.Chosen == "" && slices.Contains(allowed, mode) {
			report.Chosen = mode
		}
	}
	return report
}

// Warnings are those that concern a mode which was asked for and can run.
func (r Report) Warnings(wanted Wanted) []Finding {
	var found []Finding
	for _, f := range r.Findings {
		if f.Severity == Warning && slices.ContainsFunc(wanted.modes(), func(m Mode) bool { return r.verdict(m).CanRun && slices.Contains(f.Modes, m) }) {
			found = append(found, f)
		}
	}
	return found
}

// Refusal is why no mode of those that were asked for can run, or nil if one can. It names the first problem of the mode
// that comes nearest, with its remedy.
func (r Report) Refusal(wanted Wanted) error {
	if r.Chosen != "" {
		return nil
	}
	modes := wanted.modes()
	nearest := modes[0]
	for _, mode := range modes {
		if len(r.verdict(mode).Why) < len(r.verdict(nearest).Why) {
			nearest = mode
		}
	}
	for _, f := range r.Findings {
		if f.Severity == Problem && slices.Contains(f.Modes, nearest) {
			return &RefusedError{Finding: f}
		}
	}
	return nil // Not reached: a mode that can't run has a problem.
}

func (r Report) verdict(mode Mode) Verdict {
	i := slices.IndexFunc(r.Verdicts, func(v Verdict) bool { return v.Mode == mode })
	return r.Verdicts[i]
}

// RefusedError says why a sandbox would surely fail here.
type RefusedError struct{ Finding Finding }

// Error is one line with the remedy.
func (e *RefusedError) Error() string {
	message := e.Finding.Summary
	if e.Finding.Remedy != "" {
		message += ": " + e.Finding.Remedy
	}
	return strings.Join(strings.Fields(message), " ")
}
