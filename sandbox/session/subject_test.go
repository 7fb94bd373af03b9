package session

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

const reference = "../../config/sandbox.yaml"

// TestOneSandboxHasOneOperator: the objects of another one would stay beside it.
func TestOneSandboxHasOneOperator(t *testing.T) {
	file, err := filepath.Abs(reference)
	if err != nil {
		t.Fatal(err)
	}
	lost := filepath.Join(t.TempDir(), "sandbox.yaml")
	other := filepath.Join(t.TempDir(), "sandbox.yaml")
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	replaced := strings.NewReplacer("module: ..", "module: "+filepath.Dir(filepath.Dir(file)), "[default]", "["+filepath.Join(filepath.Dir(file), "default")+"]",
		"[samples]", "["+filepath.Join(filepath.Dir(file), "samples")+"]").Replace(string(text))
	if err := os.WriteFile(other, []byte(replaced), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		asked, running string
		up             bool
		path, want     string // the file that is taken, or the error
	}{
		"nothing yet":              {"", "", false, "", ""},
		"a file":                   {file, "", false, file, ""},
		"the same again":           {reference, file, true, file, ""},
		"what runs":                {"", file, true, file, ""},
		"the reference operator":   {"", "", true, "", ""},
		"another":                  {other, file, true, "", "runs the operator of " + file + ": take it down first"},
		"in place of ours":         {other, "", true, "", "runs the operator of this repository: take it down first"},
		"of a sandbox that was":    {other, file, false, other, ""},
		"one that is gone":         {"", lost, true, "", "which is gone: name where it is now by -f"},
		"one that was moved":       {other, lost, true, other, ""},
		"one that never was there": {lost, "", false, "", "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			run := &Session{Options: Options{Name: "x", File: test.asked, TrustProject: true}, Record: state.Record{File: test.running}}
			if test.up {
				run.Record.Name = "x"
			}
			p, err := run.OpenProject()
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("error %v, want %q", err, test.want)
				}
				return
			}
			if err != nil || p.Path != test.path {
				t.Errorf("%+v, %v; want %q", p, err, test.path)
			}
		})
	}
}

// TestAFileWithMistakesIsToldFirst: before the state folder is made, or anything is looked for.
func TestAFileWithMistakesIsToldFirst(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sandbox.yaml")
	if err := os.WriteFile(file, []byte("kind: Sandbox\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "state")
	_, err := Open(Options{File: file, StateDir: dir})
	if err == nil || !strings.Contains(err.Error(), file+":1: apiVersion: required") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the state folder was made: %v", err)
	}
}

// A folder that takes no file ends in a remedy, whichever file is the first that it does not take.
func TestSubjectThatCantBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	run := &Session{Dir: state.Dir{Path: file}, subject: &project.Subject{}}
	if err := run.SaveSubject(); err == nil || !strings.Contains(err.Error(), "writing the description of the operator") || !strings.Contains(err.Error(), "--state-dir") {
		t.Errorf("error %v", err)
	}
}

// An operator with disabled tracing adds no annotation, so nothing waits for it.
func TestSubjectOfAnOperatorWithoutTracing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before, now string
		annotated   bool
	}{
		"traced":              {"A=b", "OTEL_SDK_DISABLED=false", true},
		"off":                 {"A=b", "OTEL_SDK_DISABLED=true", false},
		"off since before":    {"OTEL_SDK_DISABLED=true", "A=b", false},
		"on again":            {"OTEL_SDK_DISABLED=true", "OTEL_SDK_DISABLED=false", true},
		"a value of no sense": {"A=b", "OTEL_SDK_DISABLED=perhaps", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &Session{Dir: state.Dir{Path: t.TempDir()}, Options: Options{OperatorEnv: []string{test.now}}, Record: state.Record{OperatorEnv: []string{test.before}}}
			if subject, err := s.Subject(); err != nil || subject.Annotation != "" != test.annotated {
				t.Errorf("Subject() = %+v, %v, want an annotation: %t", subject, err, test.annotated)
			}
		})
	}
}
