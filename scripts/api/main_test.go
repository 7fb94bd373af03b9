package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const source = `// Package sample is a sample.
package sample

import "fmt"

// The states.
const (
	Off State = iota

	// On is the other state.
	On
	hidden
)

var (
	// First is exported.
	First, second = fmt.Sprint(1), 2
	Last            = fmt.Sprint(2)
	Typed    int    = 3
)

// State is a state.
type State int

func (s State) String() string { return "state" }

type (
	List[T any] struct {
		Items []T
		count int
	}
	private struct{}
	Reader  interface{ Read() }
)

func (l *List[T]) Add(item T) { l.count++ }

func (private) Exported() {}

func Make() List[int] { return List[int]{} }

func help() {}
`

const api = `package MODULE

const (
	Off State = iota
	On
)
func (*List[T]) Add(item T)
func (State) String() string
func Make() List[int]
type List[T any] struct {
	Items []T
	// contains filtered or unexported fields
}
type Reader interface{ Read() }
type State int
var First
var Last = fmt.Sprint(2)
var Typed int

`

// TestDescribe tests which declarations of a module are its API. The module has another module, a
// package named internal, and a program.
func TestDescribe(t *testing.T) {
	t.Parallel()
	module := t.TempDir()
	for name, text := range map[string]string{
		"sample.go":          source,
		"sample_test.go":     "package sample\n\nfunc Test() {}\n",
		"internal/a/a.go":    "package a\n\nfunc A() {}\n",
		"testdata/b.go":      "package b\n\nfunc B() {}\n",
		"program/main.go":    "package main\n\nfunc C() {}\n",
		"nested/go.mod":      "module nested\n",
		"nested/nested.go":   "package nested\n\nfunc D() {}\n",
		"empty/README.md":    "",
		"system/only_aix.go": "package system\n\nfunc E() {}\n",
	} {
		file := filepath.Join(module, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := describe(module)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Replace(api, "MODULE", filepath.ToSlash(module), 1), string(got)); diff != "" {
		t.Errorf("describe(module) (-want +got):\n%s", diff)
	}
}
