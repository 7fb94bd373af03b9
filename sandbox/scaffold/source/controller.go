package source

import (
	"go/ast"
	"slices"
	"strings"
)

// Controller is the code that reconciles one kind: the methods of its reconcilers, and the functions
// of the module that they use directly or indirectly.
type Controller struct {
	// File is the path of the file that registers the first reconciler.
	File string

	module    *Module
	functions []*function // the closest ones first
}

// Controller returns the controller of a kind. The groups of kinds with the same name are in others,
// so that their controllers are not taken for this one. It returns nil if the module has none.
func (m *Module) Controller(group, kind string, others []string) *Controller {
	var found []*function
	sameGroup := false
	for _, f := range m.files {
		for _, d := range f.syntax.Decls {
			declared, ok := d.(*ast.FuncDecl)
			if !ok || declared.Body == nil {
				continue
			}
			for _, imported := range registered(f, declared.Body, kind) {
				switch {
				case slices.ContainsFunc(others, func(other string) bool { return hasGroup(imported, other) }) && !hasGroup(imported, group):
				case hasGroup(imported, group) && !sameGroup:
					found, sameGroup = []*function{m.functionOf(f, declared)}, true
				case hasGroup(imported, group) == sameGroup:
					found = append(found, m.functionOf(f, declared))
				}
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	c := &Controller{File: found[0].file.path, module: m}
	for _, registers := range found {
		c.functions = append(c.functions, m.reach(registers)...)
	}
	return c
}

func (m *Module) functionOf(f *file, d *ast.FuncDecl) *function {
	s := symbol{dir: f.dir, name: d.Name.Name}
	if d.Recv != nil {
		_, s.receiver = typeName(d.Recv.List[0].Type)
	}
	return m.functions[s]
}

// hasGroup reports whether an import path has a folder for an API group, for example
// example.com/m/api/cache/v1 for cache.example.com.
func hasGroup(imported, group string) bool {
	label, _, _ := strings.Cut(group, ".")
	folders := strings.Split(imported, "/")
	return slices.Contains(folders, label) || slices.Contains(folders, group)
}

// registered returns the import paths of a kind for which a function registers a controller: by
// For(&v1.Kind{}), For(new(v1.Kind)), or a watch with EnqueueRequestForObject.
func registered(f *file, body *ast.BlockStmt, kind string) (imports []string) {
	ast.Inspect(body, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		_, name := typeName(call.Fun)
		imported, hasKind := typeIn(f, call.Args, kind)
		isWebhook := mentions([]ast.Expr{call.Fun}, "NewWebhookManagedBy")
		if hasKind && (name == "For" && !isWebhook || name == "Watch" && mentions(call.Args, "EnqueueRequestForObject")) {
			imports = append(imports, imported)
		}
		return true
	})
	return imports
}

// typeIn returns the import path of a type with a name that expressions create.
func typeIn(f *file, expressions []ast.Expr, name string) (imported string, found bool) {
	for _, e := range expressions {
		ast.Inspect(e, func(node ast.Node) bool {
			var qualified, typed string
			switch n := node.(type) {
			case *ast.CompositeLit:
				qualified, typed = typeName(n.Type)
			case *ast.CallExpr:
				if _, function := typeName(n.Fun); function == "new" && len(n.Args) == 1 {
					qualified, typed = typeName(n.Args[0])
				}
			}
			if typed == name && !found {
				imported, found = f.imports[qualified], true
			}
			return !found
		})
	}
	return imported, found
}

// mentions reports whether expressions contain an identifier with a suffix.
func mentions(expressions []ast.Expr, suffix string) (found bool) {
	for _, e := range expressions {
		ast.Inspect(e, func(node ast.Node) bool {
			if i, ok := node.(*ast.Ident); ok && strings.HasSuffix(i.Name, suffix) {
				found = true
			}
			return !found
		})
	}
	return found
}

// reach returns the functions that a controller uses. It starts with the function that registers the
// controller and with all methods of its reconciler.
func (m *Module) reach(registers *function) []*function {
	queue := []*function{registers}
	seen := map[*function]bool{registers: true}
	add := func(f *function) {
		if f != nil && !seen[f] {
			seen[f] = true
			queue = append(queue, f)
		}
	}
	if registers.receiver != "" {
		for _, f := range m.files {
			for _, d := range f.syntax.Decls {
				if declared, ok := d.(*ast.FuncDecl); ok && declared.Body != nil {
					if method := m.functionOf(f, declared); method.dir == registers.dir && method.receiver == registers.receiver {
						add(method)
					}
				}
			}
		}
	}
	for i := 0; i < len(queue); i++ {
		for _, next := range m.used(queue[i], registers) {
			add(next)
		}
	}
	return queue
}

// used returns the functions and methods that a function mentions. The type of a variable is
// unknown, so that a method of another type is any method with its name, except one of another
// reconciler.
func (m *Module) used(f, registers *function) (all []*function) {
	ast.Inspect(f.body, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.Ident:
			all = append(all, m.functions[symbol{dir: f.dir, name: n.Name}])
		case *ast.CompositeLit: // Complete(&Reconciler{…})
			if _, name := typeName(n.Type); registers == f {
				all = append(all, m.functions[symbol{f.dir, name, "Reconcile"}])
			}
		case *ast.SelectorExpr:
			name := n.Sel.Name
			imported, isImport := f.file.imports[qualifier(n)]
			own := m.functions[symbol{f.dir, f.receiver, name}]
			switch dir, inside := m.folderOf(imported); {
			case inside && isImport:
				all = append(all, m.functions[symbol{dir: dir, name: name}])
			case isImport:
			case f.self != "" && qualifier(n) == f.self && own != nil:
				all = append(all, own)
			default:
				all = append(all, m.methodsNamed(name, registers)...)
			}
			return true
		}
		return true
	})
	return all
}

func (m *Module) methodsNamed(name string, registers *function) (all []*function) {
	for _, method := range m.methods[name] {
		own := method.dir == registers.dir && method.receiver == registers.receiver
		if _, reconciles := m.functions[symbol{method.dir, method.receiver, "Reconcile"}]; own || !reconciles {
			all = append(all, method)
		}
	}
	return all
}
