package cli

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/doctor"
)

// isolate hides engines and Go, and sends all requests to a closed port instead of the network.
func isolate(t *testing.T) {
	t.Helper()
	t.Setenv("PATH", t.TempDir())
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, "http://127.0.0.1:1")
	}
}

func TestDoctorOfAMachineWithNothing(t *testing.T) {
	isolate(t)
	got := execute(t, "doctor", "-o", "json")
	var report doctor.Report
	decoder := json.NewDecoder(strings.NewReader(got.stdout))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&report); err != nil {
		t.Fatalf("stdout %q: %v", got.stdout, err)
	}
	if got.code != exitFailure || report.Chosen != "" || strings.Count(got.stderr, "\n") != 1 {
		t.Errorf("exit code %d, chosen %q, stderr %q", got.code, report.Chosen, got.stderr)
	}
	why := map[doctor.Mode][]string{}
	for _, v := range report.Verdicts {
		why[v.Mode] = v.Why
	}
	for mode, check := range map[doctor.Mode]string{
		doctor.KindByRegistry: "registries", doctor.KindFromSource: "engine", doctor.Embedded: "Go",
	} {
		if !slices.Contains(why[mode], check) {
			t.Errorf("%s: %q, want %s among them", mode, why[mode], check)
		}
	}
	for _, f := range report.Findings {
		if f.Severity == doctor.Problem && f.Remedy == "" && !strings.Contains(f.Summary, "; ") {
			t.Errorf("a problem with no remedy: %+v", f)
		}
	}
	text := execute(t, "doctor")
	for _, want := range []string{" ✗ engine       no container engine", "   →", "kind from source    can't run: see engine", "embedded            can't run: see Go"} {
		if !strings.Contains(strings.ReplaceAll(text.stdout, "                → ", "   → "), want) {
			t.Errorf("the text lacks %q:\n%s", want, text.stdout)
		}
	}
}

// A state folder that can't be created is a finding. The other checks still run.
func TestDoctorWithoutAStateFolder(t *testing.T) {
	isolate(t)
	got := execute(t, "doctor", "--state-dir=/dev/null/state")
	if got.code != exitFailure || !strings.Contains(got.stdout, "✗ disk") || !strings.Contains(got.stdout, "/dev/null") || !strings.Contains(got.stdout, "inotify") {
		t.Errorf("%+v", got)
	}
}
