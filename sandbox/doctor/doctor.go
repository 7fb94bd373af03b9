package doctor

import (
	"slices"
	"strings"
)

// Severity is the severity of a finding.
type Severity string

// The severities.
const (
	OK      Severity = "ok"
	Warning Severity = "warning" // the modes of the finding can run, but slowly or unreliably
	Problem Severity = "problem" // the modes of the finding cannot run
)

// Mode is a way to run a sandbox.
type Mode string

// The modes, in the order in which `sandbox up` prefers them by default.
const (
	KindFromBundle Mode = "kind from a bundle" // considered only if the user passes a bundle, and then exclusively
	KindByRegistry Mode = "kind by registry"
	KindFromSource Mode = "kind from source"
	Embedded       Mode = "embedded"
)

// Modes returns all modes.
func Modes() []Mode { return []Mode{KindFromBundle, KindByRegistry, KindFromSource, Embedded} }

// onKind are the modes that require a container engine.
var onKind = []Mode{KindFromBundle, KindByRegistry, KindFromSource}

// Finding is the result of a check. `sandbox doctor -o json` prints its JSON form.
type Finding struct {
	// Check is the name of the check.
	Check    string   `json:"check"`
	Severity Severity `json:"severity"`
	// Summary is a one-line description.
	Summary string `json:"summary"`
	// Remedy is a command or an instruction that fixes the problem; empty if there is none.
	Remedy string `json:"remedy,omitempty"`
	// Modes are the modes that a problem prevents or a warning concerns.
	Modes []Mode `json:"modes,omitempty"`
}

// Verdict states whether a mode can run.
type Verdict struct {
	Mode   Mode `json:"mode"`
	CanRun bool `json:"canRun"`
	// Why are the names of the checks whose problems prevent the mode.
	Why []string `json:"why,omitempty"`
	// ToBuild are the names of components that are not in the cache and must be built or fetched
	// first.
	ToBuild []string `json:"toBuild,omitempty"`
}

// Report is the result of [Examine]. `sandbox doctor -o json` prints its JSON form.
type Report struct {
	Findings []Finding `json:"findings"`
	Verdicts []Verdict `json:"modes"`
	// Chosen is the mode that `sandbox up` with the same options would choose; empty if none can
	// run.
	Chosen Mode `json:"chosen,omitempty"`
}

// check derives findings from facts. It returns no findings about unknown facts.
type check struct {
	name  string
	judge func(Facts) []Finding
}

// checks are all checks, in the order of the report.
var checks = []check{
	{"system", system},
	{"sources", sources},
	{"engine", checkEngine},
	{"privileges", privileges},
	{"cgroups", cgroups},
	{"processes", processes},
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

// Examine runs all checks on facts.
func Examine(facts Facts) Report {
	report := Report{Findings: []Finding{}} // Not nil, so that its JSON form is a list.
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

// Warnings returns the warnings about requested modes that can run.
func (r Report) Warnings(wanted Wanted) []Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f Finding) bool {
		return f.Severity != Warning || !slices.ContainsFunc(wanted.modes(), func(m Mode) bool { return r.verdict(m).CanRun && slices.Contains(f.Modes, m) })
	})
}

// Refusal returns nil if a requested mode can run. Otherwise it returns a [RefusedError] with the
// first problem of the mode with the fewest problems.
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
	return nil // Not reached: a mode that cannot run has a problem.
}

func (r Report) verdict(mode Mode) Verdict {
	i := slices.IndexFunc(r.Verdicts, func(v Verdict) bool { return v.Mode == mode })
	return r.Verdicts[i]
}

// RefusedError is the problem because of which no requested mode can run.
type RefusedError struct{ Finding Finding }

// Error returns the summary and the remedy in one line.
func (e *RefusedError) Error() string {
	message := e.Finding.Summary
	if e.Finding.Remedy != "" {
		message += "; " + e.Finding.Remedy
	}
	return strings.Join(strings.Fields(message), " ")
}
