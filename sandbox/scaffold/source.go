package scaffold

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/input"
)

// source contains the findings in the Go files of a project.
type source struct {
	serviceName   string            // in main.go
	flags         []string          // flags of the main package
	tracedWebhook string            // the file that wraps a webhook with the tracing library
	conditions    map[string]string // a file that contains a condition type, by type
}

// readSource parses the Go files of a module, except tests, generated files and vendored packages.
// It ignores files that it cannot parse.
func readSource(folder, main string) (source, error) {
	s := source{conditions: map[string]string{}}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != folder && (strings.HasPrefix(name, ".") || slices.Contains([]string{"vendor", "testdata", "bin", "test"}, name)) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "zz_generated") {
			return nil
		}
		text, err := input.ReadFile(path, input.MaxConfig)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
		if err != nil {
			return nil //nolint:nilerr // The compiler will report it.
		}
		relative, err := filepath.Rel(folder, path)
		if err == nil {
			s.inspect(file, filepath.ToSlash(relative), filepath.Dir(path) == main)
		}
		return err
	})
	if err != nil {
		return s, fmt.Errorf("reading the sources: %w", err)
	}
	return s, nil
}

func (s *source) inspect(file *ast.File, path string, main bool) {
	ast.Inspect(file, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.CallExpr:
			s.call(n, path, main)
		case *ast.BasicLit:
			if text := literal(n); (text == "Ready" || text == "Available") && s.conditions[text] == "" && !main {
				s.conditions[text] = path
			}
		}
		return true
	})
}

// call inspects a function call, which can define a flag, set the service name or wrap a webhook.
func (s *source) call(call *ast.CallExpr, path string, main bool) {
	function := call.Fun
	if generic, ok := function.(*ast.IndexExpr); ok {
		function = generic.X
	}
	selector, ok := function.(*ast.SelectorExpr)
	if !ok {
		return
	}
	name := selector.Sel.Name
	if slices.Contains([]string{"WrapDefaulter", "WrapCustomDefaulter", "WrapAdmissionHandler"}, name) && s.tracedWebhook == "" {
		s.tracedWebhook = path
	}
	if !main {
		return
	}
	if name == "WithServiceName" && len(call.Args) == 1 {
		s.serviceName = literal(call.Args[0])
	}
	// flag.StringVar(&x, "name", …), flag.String("name", …), and the equivalents in pflag.
	position := 0
	if strings.HasSuffix(strings.TrimSuffix(name, "P"), "Var") {
		position = 1
	}
	if len(call.Args) < position+3 {
		return
	}
	if flag := literal(call.Args[position]); flag != "" && !strings.ContainsAny(flag, " ") {
		s.flags = append(s.flags, flag)
	}
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
