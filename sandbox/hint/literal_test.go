package hint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// static are the texts that name this program as its documentation does: the help of its commands.
var static = []string{"Use", "Short", "Long", "Example"}

// literals are the other texts that name a command, with the reason.
var literals = map[string]string{
	"sandbox up": "the name of a span",
	"This page needs JavaScript to read traces from Jaeger. To see traces in a terminal, run `sandbox trace NAME`.": "a page of Jaeger is the same for each way to start this program",
}

// source is one file that is not a test.
type source struct {
	path string
	file *ast.File
}

// sources parses the files of the sandbox below a folder.
func sources(t *testing.T, files *token.FileSet, root string) (all []source) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		all = append(all, source{path, file})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// text returns the value of a literal; empty for other expressions.
func text(e ast.Node) string {
	literal, ok := e.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return ""
	}
	value, _ := strconv.Unquote(literal.Value) // The parser accepted it.
	return value
}

// commands returns the first words of the fields Use of all commands.
func commands(all []source) (names []string) {
	for _, s := range all {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if field, ok := n.(*ast.KeyValueExpr); ok && isNamed(field.Key, "Use") {
				if name, _, _ := strings.Cut(text(field.Value), " "); regexp.MustCompile(`^[a-z-]+$`).MatchString(name) {
					names = append(names, name)
				}
			}
			return true
		})
	}
	return names
}

func isNamed(e ast.Expr, names ...string) bool {
	name, ok := e.(*ast.Ident)
	return ok && slices.Contains(names, name.Name)
}

// isHelp reports whether a node is the help of a command or of a flag, or a constant with it.
func isHelp(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.KeyValueExpr:
		return isNamed(n.Key, static...)
	case *ast.ValueSpec:
		return strings.HasSuffix(n.Names[0].Name, "Examples") || strings.HasSuffix(n.Names[0].Name, "Long")
	case *ast.CallExpr:
		called, ok := n.Fun.(*ast.SelectorExpr)
		return ok && isNamed(called.X, "flags")
	}
	return false
}

// mistakes returns the literals of a file that name a command of the sandbox.
func mistakes(file *ast.File, command *regexp.Regexp) (found []*ast.BasicLit) {
	ast.Inspect(file, func(n ast.Node) bool {
		if n == nil || isHelp(n) {
			return false
		}
		value := strings.ReplaceAll(text(n), "the sandbox", "")
		if literals[text(n)] == "" && command.MatchString(value) {
			found = append(found, n.(*ast.BasicLit))
		}
		return true
	})
	return found
}

func commandNamed(names []string) *regexp.Regexp {
	return regexp.MustCompile(`\b(sandbox |make sandbox-)(` + strings.Join(names, "|") + `)\b`)
}

// A message that suggests a command must build it with this package: the user may have started the
// program by another name, and for another sandbox.
func TestMessagesNameNoCommandLiterally(t *testing.T) {
	t.Parallel()
	files := token.NewFileSet()
	all := sources(t, files, "..")
	names := commands(all)
	for _, want := range []string{"up", "down", "trace", "status", "observe"} {
		if !slices.Contains(names, want) {
			t.Errorf("commands = %q, want %s in them", names, want)
		}
	}
	command := commandNamed(names)
	for _, s := range all {
		for _, literal := range mistakes(s.file, command) {
			t.Errorf("%s: %s names a command; use hint.Run or hint.Command", files.Position(literal.Pos()), literal.Value)
		}
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	command := commandNamed([]string{"up", "down"})
	for expression, want := range map[string]int{
		`errors.New("run sandbox up")`:                           1,
		"errors.New(`run \"sandbox down\" first`)":               1,
		`fmt.Errorf("%w; make sandbox-up repairs it", err)`:      1,
		`report("sandbox up" + " or " + "run sandbox down")`:     1,
		`f(T{Remedy: "go run ./sandbox up"})`:                    1,
		`errors.New("take the sandbox down")`:                    0,
		`errors.New("sandbox upgrade")`:                          0,
		`hint.Run("up")`:                                         0,
		`cobra.Command{Use: "up", Example: "  sandbox up"}`:      0,
		`cobra.Command{Long: "a" + "b: \"sandbox up\" does."}`:   0,
		`flags.StringVar(&x, "x", "", "a file of sandbox down")`: 0,
		`recorder.Start(ctx, "sandbox up")`:                      0,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "", "package p\nvar _ = "+expression, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := mistakes(file, command); len(got) != want {
			t.Errorf("mistakes(%s) = %d, want %d", expression, len(got), want)
		}
	}
}
