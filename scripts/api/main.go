// Command api writes the exported declarations of packages to text files, one for each module, so
// that each change of an API is a change of a file. scripts/generate.sh runs it.
//
// The files contain no comments. They depend only on the source of the packages, not on the versions
// of Go and of other modules.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: api FOLDER MODULE…")
		os.Exit(2)
	}
	for _, module := range os.Args[2:] {
		text, err := describe(module)
		if err == nil {
			err = os.WriteFile(filepath.Join(os.Args[1], strings.ReplaceAll(module, "/", "-")+".txt"), text, 0o644)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "describing the API of %s: %v\n", module, err)
			os.Exit(1)
		}
	}
}

// describe returns the exported declarations of the packages of a module that others can import.
func describe(module string) ([]byte, error) {
	var out bytes.Buffer
	err := filepath.WalkDir(module, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if path != module {
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil || hidden(entry.Name()) {
				return fs.SkipDir
			}
		}
		pkg, err := build.ImportDir(path, 0)
		if _, empty := errors.AsType[*build.NoGoError](err); empty || (err == nil && pkg.Name == "main") {
			return nil
		}
		if err != nil {
			return err
		}
		return declarations(&out, pkg)
	})
	return out.Bytes(), err
}

func hidden(folder string) bool {
	return folder == "internal" || folder == "testdata" || strings.HasPrefix(folder, ".") || strings.HasPrefix(folder, "_")
}

// declarations writes the exported declarations of a package, sorted, so that a move between its
// files changes nothing.
func declarations(out *bytes.Buffer, pkg *build.Package) error {
	all := map[string]bool{}
	for _, name := range pkg.GoFiles {
		positions := token.NewFileSet()
		file, err := parser.ParseFile(positions, filepath.Join(pkg.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.FileExports(file)
		for _, declaration := range file.Decls {
			for _, one := range split(declaration) {
				var text bytes.Buffer
				if err := format.Node(&text, positions, one); err != nil {
					return err
				}
				all[compact(text.String())] = true
			}
		}
	}
	fmt.Fprintf(out, "package %s\n\n", filepath.ToSlash(pkg.Dir))
	for _, text := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintln(out, text)
	}
	fmt.Fprintln(out)
	return nil
}

// split returns a declaration without imports and bodies. The types and variables of a group become
// declarations of their own. Constants stay together, because a value can follow from its place.
func split(declaration ast.Decl) []ast.Node {
	switch d := declaration.(type) {
	case *ast.FuncDecl:
		d.Body = nil
		if d.Recv != nil {
			d.Recv.List[0].Names = nil
			if !ast.IsExported(receiver(d.Recv.List[0].Type)) {
				return nil
			}
		}
	case *ast.GenDecl:
		switch d.Tok {
		case token.IMPORT:
			return nil
		case token.TYPE, token.VAR:
			var all []ast.Node
			for _, spec := range d.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok && (v.Type != nil || len(v.Values) != len(v.Names)) {
					v.Values = nil
				}
				all = append(all, &ast.GenDecl{Tok: d.Tok, Specs: []ast.Spec{spec}})
			}
			return all
		}
	}
	return []ast.Node{declaration}
}

// receiver returns the name of a receiver's type.
func receiver(expr ast.Expr) string {
	switch e := expr.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// compact removes empty lines, which remain from comments.
func compact(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return strings.Join(lines, "\n")
}
