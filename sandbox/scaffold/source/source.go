package source

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/operator-tracing/sandbox/sandbox/input"
)

// Module contains the Go files of a module and the declarations in them. It is immutable and safe
// for concurrent use.
type Module struct {
	path      string
	files     []*file
	functions map[symbol]*function
	methods   map[string][]*function
	values    map[symbol]value
}

// file is a parsed file. Its paths are slash-separated and relative to the module.
type file struct {
	path, dir string
	syntax    *ast.File
	imports   map[string]string // import paths by their names in the file
}

// symbol identifies a declaration. receiver is empty except for methods.
type symbol struct{ dir, receiver, name string }

type function struct {
	symbol
	file *file
	self string // the name of the receiver variable
	body *ast.BlockStmt
}

type value struct {
	file       *file
	expression ast.Expr
}

// ignored are folders without code of the operator.
var ignored = []string{"vendor", "testdata", "bin", "test", "tests", "e2e", "hack", "tools", "third_party", "node_modules"}

// Read parses the Go files of a module, except tests, generated files and vendored packages. It
// ignores files that it cannot parse.
func Read(folder string) (*Module, error) {
	data, err := input.ReadFile(filepath.Join(folder, "go.mod"), input.MaxConfig)
	if err != nil {
		return nil, fmt.Errorf("reading go.mod: %w", err)
	}
	m := newModule(modfile.ModulePath(data))
	if m.path == "" {
		return nil, errors.New("reading go.mod: no module directive")
	}
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != folder && (strings.HasPrefix(name, ".") || slices.Contains(ignored, name)) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "zz_generated") || !entry.Type().IsRegular() {
			return nil
		}
		relative, err := filepath.Rel(folder, path)
		if err == nil {
			m.add(path, filepath.ToSlash(relative))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the sources: %w", err)
	}
	return m, nil
}

func newModule(path string) *Module {
	return &Module{path: path, functions: map[symbol]*function{}, methods: map[string][]*function{}, values: map[symbol]value{}}
}

// add adds a file. It ignores an invalid file, which the compiler will report.
func (m *Module) add(name, relative string) {
	text, err := input.ReadFile(name, input.MaxConfig)
	if err != nil {
		return
	}
	m.parse(relative, text)
}

func (m *Module) parse(relative string, text []byte) {
	syntax, err := parser.ParseFile(token.NewFileSet(), relative, text, parser.SkipObjectResolution)
	if err != nil {
		return
	}
	f := &file{path: relative, dir: path.Dir(relative), syntax: syntax, imports: map[string]string{}}
	for _, i := range syntax.Imports {
		imported := literal(i.Path)
		local := path.Base(imported)
		if i.Name != nil {
			local = i.Name.Name
		}
		f.imports[local] = imported
	}
	m.files = append(m.files, f)
	for _, d := range syntax.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			m.addFunction(f, d)
		case *ast.GenDecl:
			m.addValues(f, d)
		}
	}
}

func (m *Module) addFunction(f *file, d *ast.FuncDecl) {
	if d.Body == nil {
		return
	}
	added := &function{symbol: symbol{dir: f.dir, name: d.Name.Name}, file: f, body: d.Body}
	if d.Recv != nil && len(d.Recv.List) == 1 {
		receiver := d.Recv.List[0]
		_, added.receiver = typeName(receiver.Type)
		if len(receiver.Names) == 1 {
			added.self = receiver.Names[0].Name
		}
		m.methods[d.Name.Name] = append(m.methods[d.Name.Name], added)
	}
	m.functions[added.symbol] = added
}

func (m *Module) addValues(f *file, d *ast.GenDecl) {
	for _, spec := range d.Specs {
		if v, ok := spec.(*ast.ValueSpec); ok && len(v.Names) == len(v.Values) {
			for i, name := range v.Names {
				m.values[symbol{dir: f.dir, name: name.Name}] = value{f, v.Values[i]}
			}
		}
	}
}

// folderOf returns the folder of an imported package of the module.
func (m *Module) folderOf(imported string) (string, bool) {
	if imported == m.path {
		return ".", true
	}
	return strings.CutPrefix(imported, m.path+"/")
}

// text returns the value of an expression that is a string constant, or a conversion of one. It
// guesses the value of a constant of another module by its name.
func (m *Module) text(f *file, expression ast.Expr) string { return m.resolve(f, expression, 4) }

func (m *Module) resolve(f *file, expression ast.Expr, depth int) string {
	if depth == 0 {
		return ""
	}
	switch e := expression.(type) {
	case *ast.BasicLit:
		return literal(e)
	case *ast.CallExpr: // string(x), or another conversion
		if len(e.Args) == 1 {
			return m.resolve(f, e.Args[0], depth-1)
		}
	case *ast.Ident:
		if v, ok := m.values[symbol{dir: f.dir, name: e.Name}]; ok {
			return m.resolve(v.file, v.expression, depth-1)
		}
	case *ast.SelectorExpr:
		imported := f.imports[qualifier(e)]
		dir, inside := m.folderOf(imported)
		if v, ok := m.values[symbol{dir: dir, name: e.Sel.Name}]; ok && inside {
			return m.resolve(v.file, v.expression, depth-1)
		}
		if imported != "" && !inside {
			return conventional(e.Sel.Name)
		}
	}
	return ""
}

// conventional returns the value of a constant for a condition's type, for example of ReadyCondition
// and TypeReady, if the type is a well-known one.
func conventional(name string) string {
	for _, affix := range []string{"Condition", "Type"} {
		name = strings.TrimPrefix(strings.TrimSuffix(name, affix), affix)
	}
	if slices.Contains(reached, name) {
		return name
	}
	return ""
}

// qualifier returns p of p.Name, or "" if p is not an identifier.
func qualifier(e *ast.SelectorExpr) string {
	if x, ok := e.X.(*ast.Ident); ok {
		return x.Name
	}
	return ""
}

// typeName returns the package and the name of a type, without pointers and type arguments.
func typeName(expression ast.Expr) (qualified, name string) {
	switch e := expression.(type) {
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.IndexExpr:
		return typeName(e.X)
	case *ast.IndexListExpr:
		return typeName(e.X)
	case *ast.Ident:
		return "", e.Name
	case *ast.SelectorExpr:
		return qualifier(e), e.Sel.Name
	}
	return "", ""
}

// literal returns the value of a string literal, or "" for any other expression.
func literal(expression ast.Expr) string {
	basic, ok := expression.(*ast.BasicLit)
	if !ok || basic.Kind != token.STRING {
		return ""
	}
	text, err := strconv.Unquote(basic.Value)
	if err != nil {
		return ""
	}
	return text
}
