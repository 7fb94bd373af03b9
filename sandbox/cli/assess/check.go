package assess

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/explain/finding"
	"github.com/operator-tracing/sandbox/sandbox/input"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

// checkOptions are the flags of trace that compare it with a file.
type checkOptions struct {
	file             string
	variables        map[string]string
	observed, update bool
}

func (o *checkOptions) bind(flags *pflag.FlagSet) {
	flags.StringVar(&o.file, "check", "", "`FILE` with an expected tree, or a sandbox.yaml with a budget: exit with 3 if the trace differs")
	flags.StringToStringVar(&o.variables, "set", nil, "with --check: `NAME=VALUE` of a variable in the tree; NAME and NAMESPACE are set to the object's")
	flags.BoolVar(&o.observed, "check-observed", false, "with --check: also compare the spans of the sandbox's observer")
	flags.BoolVar(&o.update, "update", false, "with --check: write the trace to the tree FILE instead of comparing it; comments and bounds remain")
}

func (o *checkOptions) validate() error {
	for name, value := range o.variables {
		if !variableName.MatchString(name) {
			return settings.Given("set", name+"="+value).Errorf("use NAME=VALUE, with a NAME of letters, digits and underscores")
		}
	}
	return nil
}

// variableName matches the names of variables that an expected tree can have.
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// isProject reports whether a file is a sandbox.yaml and not a tree.
func isProject(file string) bool {
	extension := strings.ToLower(filepath.Ext(file))
	return extension == ".yaml" || extension == ".yml"
}

// checkReport is the result of a comparison with a file.
type checkReport struct {
	File        string   `json:"file"`
	OK          bool     `json:"ok"`
	Differences []string `json:"differences,omitempty"`
	// More is the number of further differences.
	More int `json:"more,omitempty"`

	text string
}

// run compares a trace and its findings with the file.
func (o *checkOptions) run(out io.Writer, trace tracetree.Trace, found []finding.Finding) (*checkReport, error) {
	if isProject(o.file) {
		return o.checkBudget(trace, found)
	}
	return o.checkTree(out, trace)
}

// checkBudget compares a trace with the budget of a sandbox.yaml.
func (o *checkOptions) checkBudget(trace tracetree.Trace, found []finding.Finding) (*checkReport, error) {
	p, err := project.Load(o.file)
	if err != nil {
		return nil, err
	}
	if !hasBudget(p) {
		return nil, fmt.Errorf("checking trace %s: %s has no budget; see docs/budgets.md", trace.ID, o.file)
	}
	return compareBudget(p, o.file, trace, found)
}

func hasBudget(p *project.Project) bool {
	return len(p.File.Budget.Limits)+len(p.File.Budget.Findings) > 0
}

// WriteBudget writes whether a trace is within the budget of a project; nothing if it has none.
func WriteBudget(out io.Writer, p *project.Project, trace tracetree.Trace) error {
	if !hasBudget(p) {
		return nil
	}
	found := finding.Find(trace.Forest(), finding.Options{Now: time.Now(), Incomplete: trace.Cut()})
	r, err := compareBudget(p, filepath.Base(p.Path), trace, found)
	if err != nil {
		return err
	}
	verdict := "budget: exceeded\n"
	if r.OK {
		verdict = "budget: "
	}
	_, err = io.WriteString(out, verdict+r.text)
	return err
}

// compareBudget compares a trace with the budget of a project, whose file has a name for people.
func compareBudget(p *project.Project, name string, trace tracetree.Trace, found []finding.Finding) (*checkReport, error) {
	want := p.File.Budget
	r := &checkReport{File: name}
	if len(want.Limits) > 0 {
		budget, err := spantree.ParseBudget(name, 1, strings.Join(want.Limits, " "))
		if err != nil {
			return nil, fmt.Errorf("reading the budget: %w", err)
		}
		for _, e := range budget.Check(trace.Forest()) {
			r.Differences = append(r.Differences, e.String())
		}
	}
	for _, f := range finding.Select(found, want.Findings) {
		r.Differences = append(r.Differences, "found "+join(": ", f.ID, f.Object, f.Summary))
	}
	for _, d := range r.Differences {
		r.text += command.EscapeLines(oneLine(d)) + "\n"
	}
	return r.closed(), nil
}

// maxDifferences limits the differences of a report.
const maxDifferences = 1000

// closed sets the verdict, and limits the differences.
func (r *checkReport) closed() *checkReport {
	if r.OK = len(r.Differences) == 0; r.OK {
		r.text = "as " + command.EscapeLines(oneLine(r.File)) + " expects\n"
	}
	r.More = max(0, len(r.Differences)-maxDifferences)
	r.Differences = r.Differences[:len(r.Differences)-r.More]
	return r
}

// checkTree compares a trace with an expected tree, or writes it there.
func (o *checkOptions) checkTree(out io.Writer, trace tracetree.Trace) (*checkReport, error) {
	if !o.observed {
		trace = operatorsPart(trace)
	}
	// Package spantree would read devices and pipes, too.
	if _, err := input.ReadFile(o.file, input.MaxConfig); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the expected tree: %w", err)
	}
	forest := trace.Forest()
	if _, err := os.Stat(o.file); errors.Is(err, fs.ErrNotExist) && !o.update {
		return nil, fmt.Errorf("reading the expected tree: %w; create it with --update", err)
	}
	golden := spantree.Golden{Path: o.file, Options: spantree.RecordOptions{Variables: o.values(forest), Fold: true}}
	if o.update {
		if err := golden.Update(forest); err != nil {
			return nil, err
		}
	}
	tree, err := golden.Read()
	if err != nil {
		return nil, err
	}
	r := &checkReport{File: o.file}
	result := spantree.Match(tree, forest)
	for _, d := range result.Differences() {
		r.Differences = append(r.Differences, d.String())
	}
	columns, _ := ui.Size(out)
	explanation := result.ExplainWith(spantree.ExplainOptions{Width: columns})
	r.text = command.EscapeLines(explanation)
	return r.closed(), nil
}

// values returns the variables of the tree.
func (o *checkOptions) values(forest *spantree.Forest) map[string]string {
	values := map[string]string{}
	for _, root := range forest.Roots {
		name, _ := root.Span.Attributes["operator.object.name"].(string)
		namespace, _ := root.Span.Attributes["k8s.namespace.name"].(string)
		if name != "" {
			values["NAME"], values["NAMESPACE"] = name, namespace
			break
		}
	}
	for name, value := range o.variables {
		values[name] = value
	}
	return values
}
