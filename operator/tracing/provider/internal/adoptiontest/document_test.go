package adoptiontest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const document = "../../../../../docs/adopting.md"

// shown are the patches in the document, in order.
var shown = []string{"adopter.patch", "webhook.patch", "explicit.patch"}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// blocks returns the code blocks of a language in the document.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	fence := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```$")
	var out []string
	for _, match := range fence.FindAllStringSubmatch(read(t, document), -1) {
		out = append(out, match[1])
	}
	return out
}

// TestDocumentShowsTheCode: the document shows exactly the code that the tests build and run.
func TestDocumentShowsTheCode(t *testing.T) {
	diffs := blocks(t, "diff")
	if len(diffs) != len(shown) {
		t.Fatalf("%d diffs are shown, want %d", len(diffs), len(shown))
	}
	for i, name := range shown {
		if diffs[i] != read(t, filepath.Join(testdata, name)) {
			t.Errorf("diff %d of the document is not %s", i+1, name)
		}
	}
	if trees := blocks(t, "tree"); len(trees) != 1 {
		t.Errorf("%d trees are shown, want one", len(trees))
	}
	code := blocks(t, "go")
	if len(code) != 1 || !strings.Contains(read(t, filepath.Join(testdata, adoptedTest)), code[0]) {
		t.Errorf("the document's %d blocks of Go are not from %s", len(code), adoptedTest)
	}
}

// TestDocumentsVariables: the document and the comment of package provider name the same variables.
func TestDocumentsVariables(t *testing.T) {
	variable := regexp.MustCompile(`OTEL_[A-Z_]*[A-Z](?:_\*)?`)
	doc, code := read(t, document), read(t, "../../provider.go")
	comment := code[strings.Index(code, "// New reads the environment"):strings.Index(code, "func New(")]
	// Each of these is part of a pattern in one of the texts and missing in the other.
	others := map[string]bool{"OTEL_EXPORTER_OTLP_ENDPOINT": true, "OTEL_EXPORTER_JAEGER_ENDPOINT": true, "OTEL_TRACES_SAMPLER_ARG": true}
	for _, name := range variable.FindAllString(doc, -1) {
		if !others[name] && !strings.Contains(comment, name) {
			t.Errorf("package provider does not mention %s", name)
		}
	}
	for _, name := range variable.FindAllString(comment, -1) {
		if !others[name] && !strings.Contains(doc, name) {
			t.Errorf("the document does not mention %s", name)
		}
	}
}

// TestDocumentsNames: all names of the library's packages in the document exist.
func TestDocumentsNames(t *testing.T) {
	folders := map[string]string{"tracing": "../../..", "provider": "../..", "tracingtest": "../../../tracingtest", "spantree": "../../../spantree"}
	exported := map[string]map[string]bool{}
	for name, folder := range folders {
		exported[name] = exportedNames(t, folder)
	}
	doc, found := read(t, document), 0
	for _, match := range regexp.MustCompile(`\b(tracing|provider|tracingtest|spantree)\.([A-Z]\w*)`).FindAllStringSubmatch(doc, -1) {
		found++
		if !exported[match[1]][match[2]] {
			t.Errorf("%s does not exist", match[0])
		}
	}
	for _, match := range regexp.MustCompile("`(With\\w+)").FindAllStringSubmatch(doc, -1) {
		found++
		if !exported["tracing"][match[1]] && !exported["provider"][match[1]] {
			t.Errorf("option %s does not exist", match[1])
		}
	}
	if found < 20 {
		t.Errorf("only %d names were found", found)
	}
}

// exportedNames returns the exported functions and types of a package.
func exportedNames(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no Go files: %v", folder, err)
	}
	names := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range parsed.Decls {
			switch d := declaration.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					names[d.Name.Name] = d.Name.IsExported()
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if typ, ok := spec.(*ast.TypeSpec); ok {
						names[typ.Name.Name] = typ.Name.IsExported()
					}
				}
			}
		}
	}
	return names
}

// TestDocumentsPatches: the document's code compiles, and its test passes.
func TestDocumentsPatches(t *testing.T) {
	for _, patches := range [][]string{{"adopter.patch", "webhook.patch"}, {"explicit.patch"}} {
		p := copyProject(t, "adopter")
		for _, name := range patches {
			p.apply(t, name)
		}
		if err := os.WriteFile(filepath.Join(p.folder, "internal/controller", filepath.Base(adoptedTest)), []byte(read(t, filepath.Join(testdata, adoptedTest))), 0o600); err != nil {
			t.Fatal(err)
		}
		p.run(t, "go", "test", "./...")
		p.run(t, "go", "vet", "./cmd")
	}
}
