package project

import (
	"errors"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/explain/finding"
	"github.com/operator-tracing/sandbox/sandbox/input"
	"github.com/operator-tracing/sandbox/sandbox/project/condition"
	"github.com/operator-tracing/sandbox/sandbox/project/goflags"
	"github.com/operator-tracing/sandbox/sandbox/project/reference"
	"github.com/operator-tracing/sandbox/sandbox/suggest"
)

var variablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// variables are the names that Embedded.Args can contain as $(NAME).
var variables = []string{"KUBECONFIG", "NAMESPACE", "PROBE_ADDRESS", "SERVICE_ACCOUNT", "WEBHOOK_CERT_DIR", "WEBHOOK_CLIENT_CA", "WEBHOOK_PORT"}

func (d *decoder) judge(f *File, p *Project) {
	o := f.Operator
	switch {
	case o.Build == nil && o.Image == "":
		d.failField("operator", "either build or image is required")
	case o.Build != nil && o.Image != "":
		d.failField("operator.image", "build is also set; remove one of them")
	case o.Build != nil:
		d.judgeBuild(*o.Build, p)
	}
	d.judgePaths("operator.manifests", o.Manifests, p)
	d.judgePaths("sample.manifests", f.Sample.Manifests, p)
	if len(f.Faults.Update) > 0 {
		d.judgePaths("faults.update", f.Faults.Update, p)
	}
	for name := range o.Env {
		if !variablePattern.MatchString(name) {
			d.failField("operator.env."+name, "invalid variable name")
		}
	}
	for i, arg := range o.Embedded.Args {
		for _, name := range reference.Names(arg) {
			if !slices.Contains(variables, name) {
				d.failField(item("operator.embedded.args", i), "unknown variable $(%s); want one of %s", name, strings.Join(variables, ", "))
			}
		}
	}
	d.judgeBudget(f.Budget)
	if by := f.Sample.DefinedBy; by != "" && by != "operator" {
		d.failField("sample.definedBy", "invalid value %q: want operator, or nothing", by)
	}
	if _, ok := condition.Parse(f.Sample.Condition); !ok {
		d.failField("sample.condition", "invalid condition %q: want TYPE=STATUS, for example Ready=True, with the status True, False or Unknown; or .PATH=VALUE, for example .status.phase=Running; or none", f.Sample.Condition)
	}
}

func (d *decoder) judgeBudget(b Budget) {
	for i, limit := range b.Limits {
		_, err := spantree.ParseBudget(d.path, 1, limit)
		if problem, ok := errors.AsType[*spantree.ParseError](err); ok {
			d.failField(item("budget.limits", i), "%s", problem.Problem)
		}
	}
	for i, id := range b.Findings {
		if known := append(finding.IDs(), finding.Any); !slices.Contains(known, id) {
			d.failField(item("budget.findings", i), "unknown finding %q%s; want any or an ID in docs/findings.md", id, suggest.Hint(id, known))
		}
	}
}

// judgeBuild reports mistakes in build. It does not check folders for the built-in file, because
// they exist only in this repository.
func (d *decoder) judgeBuild(b Build, p *Project) {
	if b.Main == "" {
		d.failField("operator.build.main", "required: set the folder of the main package in the module, for example ./cmd")
		return
	}
	relative := strings.HasPrefix(b.Main, "./") || b.Main == "."
	if !relative {
		d.failField("operator.build.main", "invalid folder %q: want a path in the module that starts with ./", b.Main)
	}
	for i, flag := range b.Flags {
		if err := goflags.Check(flag); err != nil {
			d.failField(item("operator.build.flags", i), "%v", err)
		}
	}
	if p.Dir == "" {
		return
	}
	module := p.path(b.Module)
	if !p.disk.Exists(filepath.Join(module, "go.mod")) {
		d.failField("operator.build.module", "no go.mod in %s", module)
	} else if main := filepath.Join(module, b.Main); relative && !p.disk.IsDir(main) {
		d.failField("operator.build.main", "folder %s does not exist", main)
	}
}

func (d *decoder) judgePaths(field string, paths []string, p *Project) {
	if len(paths) == 0 {
		d.failField(field, "required: list folders or files with manifests")
	}
	for i, path := range paths {
		switch {
		case path == "":
			d.failField(item(field, i), "empty path")
		case strings.Contains(path, "://"):
			d.failField(item(field, i), "invalid path %q: want a folder or file on this machine", path)
		case !p.disk.Exists(p.path(path)):
			d.failField(item(field, i), "%s does not exist", p.path(path))
		default:
			if disk, ok := p.disk.(*input.Disk); ok {
				if err := disk.Within(p.path(path)); err != nil {
					d.failField(item(field, i), "%v", err)
				}
			}
		}
	}
}

func item(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }
