package project

import (
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Condition is what an object must come to: a condition's type and status.
type Condition struct{ Type, Status string }

// String is TYPE=STATUS.
func (c Condition) String() string { return c.Type + "=" + c.Status }

// Ready is the condition that an object comes to where its sandbox.yaml names no other.
var Ready = Condition{Type: "Ready", Status: "True"}

var (
	conditionPattern = regexp.MustCompile(`^([A-Za-z0-9][-A-Za-z0-9_./]*)=(True|False|Unknown)$`)
	variablePattern  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
)

// variables are what Embedded.Args may name in $(…).
var variables = []string{"NAMESPACE", "PROBE_ADDRESS", "SERVICE_ACCOUNT", "WEBHOOK_CERT_DIR", "WEBHOOK_PORT"}

// parseCondition reads TYPE=STATUS; nothing is Ready.
func parseCondition(text string) (Condition, bool) {
	if text == "" {
		return Ready, true
	}
	match := conditionPattern.FindStringSubmatch(text)
	if match == nil {
		return Condition{}, false
	}
	return Condition{Type: match[1], Status: match[2]}, true
}

// judge finds what has the right type and can't be.
func (d *decoder) judge(f *File, p *Project) {
	o := f.Operator
	switch {
	case o.Build == nil && o.Image == "":
		d.failField("operator", "either build or image must say where the operator comes from")
	case o.Build != nil && o.Image != "":
		d.failField("operator.image", "build is there, too: use one of them")
	case o.Build != nil:
		d.judgeBuild(*o.Build, p)
	}
	d.judgePaths("operator.manifests", o.Manifests, p)
	d.judgePaths("sample.manifests", f.Sample.Manifests, p)
	for name := range o.Env {
		if !variablePattern.MatchString(name) {
			d.failField("operator.env."+name, "that is no name of a variable")
		}
	}
	for i, arg := range o.Embedded.Args {
		for _, name := range references(arg) {
			if !slices.Contains(variables, name) {
				d.failField(item("operator.embedded.args", i), "$(%s) is not known; there are %s", name, strings.Join(variables, ", "))
			}
		}
	}
	if _, ok := parseCondition(f.Sample.Condition); !ok {
		d.failField("sample.condition", "%q: use TYPE=STATUS, Ready=True say; the status is True, False or Unknown", f.Sample.Condition)
	}
}

// judgeBuild finds mistakes about the program. Of the built-in file only the program's own repository knows the module's folder.
func (d *decoder) judgeBuild(b Build, p *Project) {
	if b.Main == "" {
		d.failField("operator.build.main", "it is missing: name the main package's folder in the module, ./cmd say")
		return
	}
	if !strings.HasPrefix(b.Main, "./") && b.Main != "." {
		d.failField("operator.build.main", "%q: use a folder of the module that begins with ./", b.Main)
	}
	for i, flag := range b.Flags {
		if !strings.HasPrefix(flag, "-") {
			d.failField(item("operator.build.flags", i), "%q: use one flag of go build with its value, -tags=NAME say", flag)
		}
	}
	if p.Dir == "" {
		return
	}
	module := p.path(b.Module)
	if !p.disk.Exists(filepath.Join(module, "go.mod")) {
		d.failField("operator.build.module", "there is no go.mod in %s", module)
	} else if main := filepath.Join(module, b.Main); !p.disk.IsDir(main) {
		d.failField("operator.build.main", "there is no folder %s", main)
	}
}

func (d *decoder) judgePaths(field string, paths []string, p *Project) {
	if len(paths) == 0 {
		d.failField(field, "it is missing: name folders or files of manifests")
	}
	for i, path := range paths {
		switch {
		case path == "":
			d.failField(item(field, i), "it is empty")
		case strings.Contains(path, "://"):
			d.failField(item(field, i), "%q: use a folder or a file of this machine", path)
		case !p.disk.Exists(p.path(path)):
			d.failField(item(field, i), "there is no %s", p.path(path))
		}
	}
}

// item is the field of a list's item.
func item(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

var referencePattern = regexp.MustCompile(`\$?\$\(([^)]*)\)`)

// references are the names in an argument's $(NAME); $$(NAME) is no reference, as in Kubernetes.
func references(arg string) (names []string) {
	for _, match := range referencePattern.FindAllStringSubmatch(arg, -1) {
		if !strings.HasPrefix(match[0], "$$") {
			names = append(names, match[1])
		}
	}
	return names
}

// expand replaces $(NAME) as Kubernetes does in a container's arguments: names that are not known stay, and $$ is $.
func expand(text string, values map[string]string) string {
	return referencePattern.ReplaceAllStringFunc(text, func(match string) string {
		if strings.HasPrefix(match, "$$") {
			return match[1:]
		}
		if value, ok := values[match[2:len(match)-1]]; ok {
			return value
		}
		return match
	})
}
