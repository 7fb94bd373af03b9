package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// actionProgram is set for a process of the test binary that is the sandbox's program.
const actionProgram = "CLI_TEST_PROGRAM"

// TestAction runs the script of the GitHub action on saved traces. TestActionLive of
// e2e/faults/embedded runs it on a sandbox.
func TestAction(t *testing.T) {
	t.Parallel()
	const findings, budget = "finding/careless/testdata/careless.json", "(budget spans<=1)\nreconcile Head [CONSUMER]\n"
	for name, c := range map[string]struct {
		inputs  []string // Variables of run.sh, with $R for the folder of sandbox/explain.
		code    int
		stderr  string
		more    string // Files that only some runs write.
		comment []string
	}{
		"default": {
			inputs:  []string{"FROM=$R/testdata/recorded/head.json"},
			comment: []string{"### Operator trace: passed", "    Head head-sample: Ready after", "    no findings", "no baseline"},
		},
		"baseline": {
			inputs: []string{"FROM=$R/testdata/recorded/head.json", "BASELINE=$R/testdata/recorded/head.json"}, more: "comparison.md",
			comment: []string{"are equal: the tree of spans"},
		},
		"missing baseline": {
			inputs:  []string{"FROM=$R/testdata/recorded/head.json", "BASELINE=none.json"},
			comment: []string{"no baseline"},
		},
		"findings": {inputs: []string{"FROM=$R/" + findings}, comment: []string{"passed", "duplicate-create"}},
		"failed verdicts": {
			inputs: []string{"FROM=$R/" + findings, "FAIL_ON=any", "CHECK=budget.tree"}, code: 3, stderr: "Error: ", more: "check.txt",
			comment: []string{"failed", "duplicate-create", "<summary>Budget</summary>", "spans"},
		},
		"unknown finding":  {inputs: []string{"FROM=$R/" + findings, "FAIL_ON=other"}, code: 2, stderr: "other"},
		"no trace":         {inputs: []string{"FROM=none.json"}, code: 1, stderr: "none.json"},
		"runs of a file":   {inputs: []string{"FROM=none.json", "RUNS=3"}, code: 2, stderr: "cannot be measured"},
		"runs":             {inputs: []string{"RUNS=-1"}, code: 2, stderr: `input runs="-1": use a number >= 0`},
		"boolean":          {inputs: []string{"FAIL_ON_REGRESSION=1"}, code: 2, stderr: "use true or false"},
		"own baseline":     {inputs: []string{"FROM=none.json", "BASELINE=out/trace.json"}, code: 2, stderr: "overwrites the file"},
		"without programs": {inputs: []string{"FILE=none.yaml"}, code: 2, stderr: "none.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, text := range map[string]string{"budget.tree": budget, "out/trace.json": "{}"} {
				write(t, filepath.Join(dir, file), text)
			}
			code, stderr := runAction(t, dir, c.inputs)
			if code != c.code || !strings.Contains(stderr, c.stderr) {
				t.Fatalf("exit code %d, want %d and %q:\n%s", code, c.code, c.stderr, stderr)
			}
			if c.comment == nil {
				return
			}
			entries, err := os.ReadDir(filepath.Join(dir, "out"))
			if err != nil {
				t.Fatal(err)
			}
			got := "" // The files that not every run writes.
			for _, entry := range entries {
				if !slices.Contains([]string{"comment.md", "findings.txt", "trace.json", "trace.svg", "why.txt"}, entry.Name()) {
					got += entry.Name()
				}
			}
			if got != c.more {
				t.Errorf("more files: %q, want %q", got, c.more)
			}
			body := read(t, filepath.Join(dir, "out/comment.md"))
			for _, want := range c.comment {
				if !strings.Contains(body, want) {
					t.Errorf("the comment lacks %q:\n%s", want, body)
				}
			}
			outputs := actionOutputs(t, read(t, filepath.Join(dir, "outputs")))
			verdict := map[int]string{0: "passed", 3: "failed"}[c.code]
			if outputs["body"] != body || outputs["verdict"] != verdict || read(t, outputs["comment"]) != body || read(t, filepath.Join(dir, "summary")) != body {
				t.Errorf("the outputs, the summary and the comment differ: %v", outputs)
			}
			for _, name := range []string{"trace", "picture", "why", "findings", "measurements"} {
				if _, err := os.Stat(outputs[name]); err != nil {
					t.Errorf("output %s: %v", name, err)
				}
			}
		})
	}
}

// TestActionOutputs checks that action.yml has the outputs and inputs of the script.
func TestActionOutputs(t *testing.T) {
	t.Parallel()
	action, script := read(t, "../../.github/actions/trace/action.yml"), read(t, "../../.github/actions/trace/run.sh")
	for _, m := range regexp.MustCompile(`TRACE_[A-Z_]+`).FindAllString(script, -1) {
		input := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(m, "TRACE_"), "_", "-"))
		if !strings.Contains(action, fmt.Sprintf("%s: ${{ inputs.%s }}", m, input)) && input != "fail-on" {
			t.Errorf("action.yml does not set %s", m)
		}
	}
	for _, m := range regexp.MustCompile(`(TRACE_[A-Z_]+): `).FindAllStringSubmatch(action, -1) {
		if !strings.Contains(script, "${"+m[1]+":-") {
			t.Errorf("run.sh does not read %s", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`steps\.trace\.outputs\.(\w+)`).FindAllStringSubmatch(action, -1) {
		if !strings.Contains(script, `"`+m[1]+"=") && !strings.Contains(script, `"`+m[1]+"<<") {
			t.Errorf("run.sh does not set the output %s", m[1])
		}
	}
}

// runAction runs the script in a folder. The program is this test binary.
func runAction(t *testing.T, dir string, inputs []string) (code int, stderr string) {
	t.Helper()
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), repository+"/.github/actions/trace/run.sh")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_STATE_HOME="+dir, "XDG_CACHE_HOME="+dir, actionProgram+"=1", "SANDBOX_PROGRAM="+program,
		"GITHUB_OUTPUT="+dir+"/outputs", "GITHUB_STEP_SUMMARY="+dir+"/summary", "TRACE_OUTPUT=out")
	for _, input := range inputs {
		cmd.Env = append(cmd.Env, "TRACE_"+strings.ReplaceAll(input, "$R", repository+"/sandbox/explain"))
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), said.String()
}

// actionOutputs parses a file of outputs as GitHub does.
func actionOutputs(t *testing.T, text string) map[string]string {
	t.Helper()
	outputs := map[string]string{}
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		if name, end, ok := strings.Cut(line, "<<"); ok {
			outputs[name], rest, ok = strings.Cut(rest, end+"\n")
			if !ok {
				t.Fatalf("output %s has no end", name)
			}
		} else {
			name, value, _ := strings.Cut(line, "=")
			outputs[name] = value
		}
		text = rest
	}
	return outputs
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
