package doctor

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/engine"
)

// healthy returns the facts of a machine on which all modes can run and all components are built.
func healthy() Facts {
	return Facts{
		Wanted: Wanted{Cluster: "auto", Provider: "auto", Images: "auto", Fresh: true},
		System: System{OS: "linux", Arch: "amd64", Distribution: "Debian GNU/Linux 12", Kernel: "6.1.0", Processors: 4, Root: true, Apt: true},
		Engine: Engine{Looked: true, Installed: []string{"docker"}, Probed: true, Name: "docker", Host: &engine.Host{
			Architecture: "amd64", Kernel: "6.1.0", CgroupV2: true, SysResource: true, NoFile: 1 << 20, Mount: true, Memory: 16 * gib,
			Controllers: []string{"cpuset", "cpu", "io", "memory", "pids"}, InotifyInstances: 512, InotifyWatches: 524288, Free: 50 * gib,
		}},
		Limits: Limits{OpenFiles: 1 << 20, InotifyInstances: 512, InotifyWatches: 524288, InotifyUsed: 20},
		Memory: Memory{Total: 16 * gib, Available: 8 * gib},
		Disks: []Disk{
			{What: StateDisk, Path: "/state", Free: 50 * gib}, {What: CacheDisk, Path: "/cache", Free: 50 * gib},
			{What: BuildDisk, Path: "/gocache", Free: 50 * gib}, {What: EngineDisk, Path: "docker", Free: 50 * gib},
		},
		Ports:      []Port{{Number: 16686}, {Number: 4317}},
		Registries: []Registry{{Host: "one.example"}, {Host: "two.example"}},
		Go:         Go{Looked: true, Path: "/bin/go", Version: "go1.26.8", Wanted: "go1.26.6"},
	}
}

// emptyCache changes facts to an empty cache.
func emptyCache(f *Facts) {
	f.Missing = map[Mode][]string{
		KindByRegistry: {"node-init", "operator"}, KindFromSource: {"kubernetes", "coredns", "jaeger", "operator"}, Embedded: {"kubernetes", "operator"},
	}
	f.Long = []string{"kubernetes"}
}

func TestAllModesRunOnAHealthyMachine(t *testing.T) {
	report := Examine(healthy())
	for _, f := range report.Findings {
		if f.Severity != OK || f.Remedy != "" || f.Summary == "" || len(f.Modes) > 0 {
			t.Errorf("finding = %+v, want OK without a remedy", f)
		}
	}
	if len(report.Findings) < 10 {
		t.Errorf("got %d findings, want at least 10: %+v", len(report.Findings), report.Findings)
	}
	want := []Verdict{{Mode: KindByRegistry, CanRun: true}, {Mode: KindFromSource, CanRun: true}, {Mode: Embedded, CanRun: true}}
	if diff := cmp.Diff(want, report.Verdicts); diff != "" || report.Chosen != KindByRegistry {
		t.Errorf("Chosen = %q, verdicts (-want +got):\n%s", report.Chosen, diff)
	}
	if w := report.Warnings(healthy().Wanted); len(w) > 0 {
		t.Errorf("Warnings = %+v, want none", w)
	}
	if err := report.Refusal(healthy().Wanted); err != nil {
		t.Error(err)
	}
}

// Unknown facts result in no findings.
func TestUnknownFactsHaveNoFindings(t *testing.T) {
	report := Examine(Facts{Wanted: healthy().Wanted})
	if diff := cmp.Diff([]Finding{}, report.Findings); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// finding is an expected finding for a changed healthy machine.
type finding struct {
	name     string
	change   func(*Facts)
	check    string
	severity Severity
	summary  string // a part of the summary
	remedy   string // a part of the remedy; empty for none
	modes    []Mode
}

func TestFindings(t *testing.T) {
	for _, tests := range [][]finding{machineFindings, engineFindings, storageFindings, networkFindings, buildFindings} {
		for _, test := range tests {
			t.Run(test.check+"/"+test.name, func(t *testing.T) { test.run(t) })
		}
	}
}

func (want finding) run(t *testing.T) {
	facts := healthy()
	want.change(&facts)
	report := Examine(facts)
	for _, f := range report.Findings {
		if f.Check != want.check || f.Severity != want.severity || !strings.Contains(f.Summary, want.summary) {
			continue
		}
		if want.remedy == "" && f.Remedy != "" || !strings.Contains(f.Remedy, want.remedy) {
			t.Errorf("Remedy = %q, want %q", f.Remedy, want.remedy)
		}
		if diff := cmp.Diff(want.modes, f.Modes); diff != "" {
			t.Errorf("modes (-want +got):\n%s", diff)
		}
		for _, v := range report.Verdicts {
			prevented := want.severity == Problem && slices.Contains(want.modes, v.Mode)
			if prevented != slices.Contains(v.Why, want.check) && want.severity == Problem || v.CanRun != (len(v.Why) == 0) {
				t.Errorf("verdict on %s = %t because of %q, want Why to name the problems", v.Mode, v.CanRun, v.Why)
			}
		}
		return
	}
	t.Errorf("findings do not contain %s %q:\n%+v", want.severity, want.summary, report.Findings)
}

func TestConsideredModes(t *testing.T) {
	for _, test := range []struct {
		wanted Wanted
		want   []Mode
	}{
		{Wanted{Cluster: "auto", Provider: "auto", Images: "auto"}, []Mode{KindByRegistry, KindFromSource, Embedded}},
		{Wanted{Cluster: "auto", Provider: "auto", Images: "source"}, []Mode{KindFromSource, Embedded}},
		{Wanted{Cluster: "auto", Provider: "auto", Images: "registry"}, []Mode{KindByRegistry}},
		{Wanted{Cluster: "auto", Provider: "podman", Images: "auto"}, []Mode{KindByRegistry, KindFromSource}},
		{Wanted{Cluster: "kind", Provider: "auto", Images: "auto"}, []Mode{KindByRegistry, KindFromSource}},
		{Wanted{Cluster: "kind", Provider: "auto", Images: FromBundle}, []Mode{KindFromBundle}},
		{Wanted{Cluster: "kind", Provider: "auto", Images: "source"}, []Mode{KindFromSource}},
		{Wanted{Cluster: "embedded", Provider: "auto", Images: "auto"}, []Mode{Embedded}},
		{Wanted{Cluster: "embedded", Provider: "auto", Images: "source"}, []Mode{Embedded}},
	} {
		if diff := cmp.Diff(test.want, test.wanted.modes()); diff != "" {
			t.Errorf("modes of %+v (-want +got):\n%s", test.wanted, diff)
		}
	}
}

// If no requested mode can run, Refusal returns the problem of the mode with the fewest problems,
// in one line with its remedy.
func TestRefusal(t *testing.T) {
	facts := healthy()
	facts.Wanted.Cluster = "kind"
	facts.Engine = Engine{Looked: true}
	facts.Debian = errors.New("no debootstrap")
	report := Examine(facts)
	err := report.Refusal(facts.Wanted)
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Finding.Check != "engine" {
		t.Fatalf("Refusal = %v, want a *RefusedError of the check engine", err)
	}
	if text := err.Error(); !strings.Contains(text, "not installed; scripts/prerequisites.sh") || strings.Contains(text, "\n") {
		t.Errorf("error = %q, want one line with the remedy", text)
	}
	if report.Chosen != "" {
		t.Errorf("Chosen = %q, want none", report.Chosen)
	}
	facts.Wanted.Cluster = "auto"
	if report = Examine(facts); report.Chosen != Embedded || report.Refusal(facts.Wanted) != nil {
		t.Errorf("with --cluster=auto: Chosen = %q, Refusal = %v; want embedded and nil", report.Chosen, report.Refusal(facts.Wanted))
	}
}

// Warnings omits modes that cannot run or were not requested.
func TestWarningsConcernModesThatRun(t *testing.T) {
	facts := healthy()
	facts.Engine.Host.CgroupV2 = false
	if w := Examine(facts).Warnings(facts.Wanted); len(w) != 1 || w[0].Check != "cgroups" {
		t.Errorf("Warnings = %+v, want one about cgroups", w)
	}
	facts.Wanted.Cluster = "embedded"
	if w := Examine(facts).Warnings(facts.Wanted); len(w) > 0 {
		t.Errorf("Warnings for embedded = %+v, want none", w)
	}
	facts = healthy()
	facts.Limits.InotifyUsed = 500
	facts.Sources = errors.New("no sources")
	if w := Examine(facts).Warnings(facts.Wanted); len(w) > 0 {
		t.Errorf("Warnings if no mode can run = %+v, want none", w)
	}
}

// A bundle requires an engine, but neither a registry nor Go. Other modes are not examined.
func TestVerdictOnABundle(t *testing.T) {
	facts := healthy()
	facts.Wanted.Cluster, facts.Wanted.Images = "kind", FromBundle
	facts.Proxy = Proxy{Variables: []string{"HTTPS_PROXY"}, Err: errors.New("invalid port")}
	facts.Go = Go{Looked: true}
	report := Examine(facts)
	if diff := cmp.Diff([]Verdict{{Mode: KindFromBundle, CanRun: true}}, report.Verdicts); diff != "" || report.Chosen != KindFromBundle {
		t.Errorf("Chosen = %q, verdicts (-want +got):\n%s", report.Chosen, diff)
	}
	facts.Engine = Engine{Looked: true}
	report = Examine(facts)
	if diff := cmp.Diff([]Verdict{{Mode: KindFromBundle, Why: []string{"engine"}}}, report.Verdicts); diff != "" || report.Chosen != "" {
		t.Errorf("without an engine: Chosen = %q, verdicts (-want +got):\n%s", report.Chosen, diff)
	}
	if err := report.Refusal(facts.Wanted); err == nil {
		t.Error("Refusal without an engine = nil, want an error")
	}
}
