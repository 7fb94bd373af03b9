package cli

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var updateDocuments = flag.Bool("update-documents", false, "rewrite the output in the console blocks of docs")

// console matches a block of a document with a command of the sandbox and its output.
var console = regexp.MustCompile("(?m)^```console\n\\$ go run ./sandbox (.*)\n((?:.*\n)*?)```$")

// TestDocuments runs the commands in the console blocks of the documents, and compares their output with the
// documents. Paths in the commands start at the root of the repository.
func TestDocuments(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for _, file := range files {
		committed, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := console.ReplaceAllStringFunc(string(committed), func(block string) string {
			blocks++
			line := console.FindStringSubmatch(block)[1]
			check := func(err error) {
				if err != nil {
					t.Fatal(err)
				}
			}
			got := runLine(check, strings.Fields(strings.ReplaceAll(line, "=docs/", "=../../docs/")))
			if got.code != exitOK {
				t.Errorf("%s: sandbox %s: exit code %d\n%s", file, line, got.code, got.stderr)
			}
			return "```console\n$ go run ./sandbox " + line + "\n" + got.stdout + "```"
		})
		if *updateDocuments {
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(string(committed), text); diff != "" {
			t.Errorf("%s is out of date (-committed +output); run `make generate`:\n%s", file, diff)
		}
	}
	if blocks == 0 {
		t.Error("found no console block")
	}
}
