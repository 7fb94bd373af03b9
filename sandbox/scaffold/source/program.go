package source

import (
	"cmp"
	"go/ast"
	"slices"
	"strings"
)

// Program is a main package.
type Program struct {
	// Dir is its folder, slash-separated and relative to the module.
	Dir string
	// File is the path of the file that starts the manager or, without one, of any file.
	File string
	// Flags are the flags that it defines itself.
	Flags []string
	// ServiceName is the service.name that it sets by the tracing library; empty if unknown.
	ServiceName string

	manages bool // it calls NewManager
}

// Programs returns the main packages, the most likely operator first: one that creates a manager,
// in cmd, in the root folder, or in a folder of cmd that is called like an operator.
func (m *Module) Programs() []Program {
	found := map[string]*Program{}
	for _, f := range m.files {
		if f.syntax.Name.Name != "main" {
			continue
		}
		if found[f.dir] == nil {
			found[f.dir] = &Program{Dir: f.dir, File: f.path}
		}
		found[f.dir].inspect(f)
	}
	var all []Program
	for _, p := range found {
		all = append(all, *p)
	}
	slices.SortFunc(all, func(a, b Program) int { return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.Dir, b.Dir)) })
	return all
}

func (p Program) rank() int {
	rank := 0
	if !p.manages {
		rank = 10
	}
	named := func(word string) bool { return strings.Contains(p.Dir, word) }
	switch {
	case p.Dir == "cmd":
	case p.Dir == ".":
		rank++
	case slices.ContainsFunc([]string{"manager", "operator", "controller"}, named):
		rank += 2
	default:
		rank += 3
	}
	return rank
}

func (p *Program) inspect(f *file) {
	ast.Inspect(f.syntax, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		switch _, name := typeName(call.Fun); name {
		case "":
		case "NewManager":
			p.manages, p.File = true, f.path
		case "WithServiceName":
			if len(call.Args) == 1 {
				p.ServiceName = literal(call.Args[0])
			}
		default:
			p.flag(call, name)
		}
		return true
	})
}

// flag adds the flag of flag.StringVar(&x, "name", …), flag.String("name", …), and the equivalents in
// pflag.
func (p *Program) flag(call *ast.CallExpr, function string) {
	position := 0
	if strings.HasSuffix(strings.TrimSuffix(function, "P"), "Var") {
		position = 1
	}
	if len(call.Args) < position+3 {
		return
	}
	if flag := literal(call.Args[position]); flag != "" && !strings.ContainsAny(flag, " ") {
		p.Flags = append(p.Flags, flag)
	}
}

// TracedWebhook returns the path of a file that wraps a webhook with the tracing library; empty if
// none does.
func (m *Module) TracedWebhook() (path string) {
	for _, f := range m.files {
		ast.Inspect(f.syntax, func(node ast.Node) bool {
			if call, ok := node.(*ast.CallExpr); ok && path == "" {
				if _, name := typeName(call.Fun); slices.Contains([]string{"WrapDefaulter", "WrapCustomDefaulter", "WrapAdmissionHandler"}, name) {
					path = f.path
				}
			}
			return path == ""
		})
	}
	return path
}
