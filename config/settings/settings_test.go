package settings_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/operator-tracing/sandbox/config/settings"
)

// program has a flag of each kind.
type program struct {
	name    string
	port    int
	wait    time.Duration
	purge   bool
	env     []string
	writers string // by a function of the standard library
}

// fill parses a command line, and fills the rest from an environment and a file.
func fill(t *testing.T, env map[string]string, file string, args ...string) (program, settings.Origins, error) {
	t.Helper()
	var p program
	flags := pflag.NewFlagSet("program", pflag.ContinueOnError)
	flags.StringVar(&p.name, "name", "default", "")
	flags.IntVar(&p.port, "http-port", 80, "")
	flags.DurationVar(&p.wait, "wait", time.Second, "")
	flags.BoolVar(&p.purge, "purge", false, "")
	flags.StringArrayVar(&p.env, "env", nil, "")
	standard := flag.NewFlagSet("program", flag.ContinueOnError)
	standard.Func("writers", "", func(text string) error {
		if text == "" {
			return errors.New("want a writer")
		}
		p.writers = text
		return nil
	})
	flags.AddGoFlagSet(standard)
	path := flags.String(settings.FileFlag, "", "")
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir() + "/"
	if file != "" {
		*path = dir + "options.yaml"
		if err := os.WriteFile(*path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	origins, err := settings.Sources{
		Variable: variable,
		Lookup:   func(name string) (string, bool) { value, set := env[name]; return value, set },
		Hint: func(key string, known []string) string {
			return fmt.Sprintf(" (%d known, %q not: %t)", len(known), key, !slices.Contains(known, key))
		},
	}.Fill(flags)
	for name, origin := range origins {
		origins[name] = strings.TrimPrefix(origin, dir)
	}
	if err != nil {
		err = errors.New(strings.ReplaceAll(err.Error(), dir, ""))
	}
	return p, origins, err
}

// variable is the environment variable of a flag; --purge has none.
func variable(name string) string {
	if name == "purge" {
		return ""
	}
	return "APP_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

func TestFill(t *testing.T) {
	t.Parallel()
	defaults := program{name: "default", port: 80, wait: time.Second}
	with := func(change func(*program)) program {
		p := defaults
		change(&p)
		return p
	}
	for name, test := range map[string]struct {
		env     map[string]string
		file    string
		args    []string
		want    program
		origins settings.Origins
	}{
		"nothing":     {nil, "", nil, defaults, settings.Origins{}},
		"flag":        {map[string]string{"APP_NAME": "env"}, "name: file", []string{"--name=flag"}, with(func(p *program) { p.name = "flag" }), settings.Origins{}},
		"default":     {map[string]string{"APP_NAME": "env"}, "", []string{"--name=default"}, defaults, settings.Origins{}},
		"environment": {map[string]string{"APP_NAME": "env"}, "name: file", nil, with(func(p *program) { p.name = "env" }), settings.Origins{"name": "APP_NAME"}},
		"empty":       {map[string]string{"APP_NAME": ""}, "name: file", nil, with(func(p *program) { p.name = "file" }), settings.Origins{"name": "options.yaml:1"}},
		"no variable": {map[string]string{"APP_PURGE": "true", "": "true"}, "", nil, defaults, settings.Origins{}},
		"dashes":      {map[string]string{"APP_HTTP_PORT": "1"}, "", nil, with(func(p *program) { p.port = 1 }), settings.Origins{"http-port": "APP_HTTP_PORT"}},
		"lines": {nil, "# a comment\n\nname: a # b\n\"http-port\": 2\n", nil, with(func(p *program) { p.name, p.port = "a", 2 }),
			settings.Origins{"name": "options.yaml:3", "http-port": "options.yaml:4"}},
		"JSON":            {nil, `{"name": "a", "purge": true}`, nil, with(func(p *program) { p.name, p.purge = "a", true }), settings.Origins{"name": "options.yaml:1", "purge": "options.yaml:1"}},
		"numbers":         {nil, "name: 007", nil, with(func(p *program) { p.name = "007" }), settings.Origins{"name": "options.yaml:1"}},
		"large number":    {nil, "name: 1000000", nil, with(func(p *program) { p.name = "1000000" }), settings.Origins{"name": "options.yaml:1"}},
		"time":            {nil, "wait: 7m", nil, with(func(p *program) { p.wait = 7 * time.Minute }), settings.Origins{"wait": "options.yaml:1"}},
		"null":            {nil, "name:\nhttp-port: ~\nenv: null", nil, defaults, settings.Origins{}},
		"empty string":    {nil, `name: ""`, nil, with(func(p *program) { p.name = "" }), settings.Origins{"name": "options.yaml:1"}},
		"yes":             {nil, "purge: yes", nil, with(func(p *program) { p.purge = true }), settings.Origins{"purge": "options.yaml:1"}},
		"list":            {nil, "env: [A=1, \"B=2,3\"]", nil, with(func(p *program) { p.env = []string{"A=1", "B=2,3"} }), settings.Origins{"env": "options.yaml:1"}},
		"value of a list": {nil, "env: A=1", nil, with(func(p *program) { p.env = []string{"A=1"} }), settings.Origins{"env": "options.yaml:1"}},
		"null in a list":  {nil, "env: [A=1, ~]", nil, with(func(p *program) { p.env = []string{"A=1"} }), settings.Origins{"env": "options.yaml:1"}},
		"empty list":      {nil, "env: []", nil, defaults, settings.Origins{}},
		"function":        {nil, "writers: [a, b]", nil, with(func(p *program) { p.writers = "a,b" }), settings.Origins{"writers": "options.yaml:1"}},
		"alias":           {nil, "env: &a [x, y]\nwriters: *a", nil, with(func(p *program) { p.env, p.writers = []string{"x", "y"}, "x,y" }), settings.Origins{"env": "options.yaml:1", "writers": "options.yaml:2"}},
		"null file":       {nil, "~\n", nil, defaults, settings.Origins{}},
		"only a comment":  {nil, "# nothing\n", nil, defaults, settings.Origins{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, origins, err := fill(t, test.env, test.file, test.args...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(program{})); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.origins, origins); diff != "" {
				t.Errorf("origins (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFillMistakes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		env  map[string]string
		file string
		want string
	}{
		"variable":    {map[string]string{"APP_HTTP_PORT": "x"}, "", "reading options from APP_HTTP_PORT: --http-port=x: use a number"},
		"first":       {map[string]string{"APP_HTTP_PORT": "x", "APP_WAIT": "x"}, "name: []", "reading options from APP_HTTP_PORT: --http-port=x: use a number"},
		"missing":     {map[string]string{"APP_CONFIG": "/no/such"}, "", "reading options from --config: open /no/such: no such file or directory"},
		"number":      {nil, "name: a\nhttp-port: x y\n", `reading options from options.yaml:2: --http-port="x y": use a number`},
		"bool":        {nil, "purge: maybe", "reading options from options.yaml:1: --purge=maybe: use true or false"},
		"time":        {nil, "wait: 7", "reading options from options.yaml:1: --wait=7: use a time with its unit, for example 90s or 5m"},
		"function":    {nil, `writers: ""`, `reading options from options.yaml:1: --writers="": want a writer`},
		"unknown":     {nil, "name: a\nnane: b", `reading options from options.yaml:2: unknown option "nane" (6 known, "nane" not: true)`},
		"itself":      {nil, "config: a", `reading options from options.yaml:1: unknown option "config" (6 known, "config" not: true)`},
		"repeated":    {nil, "name: a\nname: b", `reading options from options.yaml:2: repeated option "name"`},
		"list":        {nil, "name: [a]", "reading options from options.yaml:1: name: use a single value"},
		"map":         {nil, "wait: {minutes: 3}", "reading options from options.yaml:1: wait: use a single value"},
		"nested list": {nil, "env: [[a]]", "reading options from options.yaml:1: env: use a single value"},
		"no map":      {nil, "- name", "reading options from options.yaml: use a map, one option: value to a line"},
		"no YAML":     {nil, "name: \"a\n", "reading options from options.yaml: yaml: line 2: found unexpected end of stream"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, _, err := fill(t, test.env, test.file); err == nil || err.Error() != test.want {
				t.Errorf("Fill() = %v, want %s", err, test.want)
			}
		})
	}
}

// The commands of a program share a file, and each has some of the flags.
func TestKeysOfOtherCommands(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "options.yaml")
	if err := os.WriteFile(path, []byte("other: [1, {a: b}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := pflag.NewFlagSet("program", pflag.ContinueOnError)
	flags.String(settings.FileFlag, path, "")
	sources := settings.Sources{Variable: func(string) string { return "" }, Known: []string{"other"}}
	if origins, err := sources.Fill(flags); err != nil || len(origins) > 0 {
		t.Errorf("Fill() = %v, %v, want nothing", origins, err)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	problem := errors.New("use another")
	mistake := fmt.Errorf("starting: %w", settings.Given("a", 1).And("b", "x y").Errorf("%w", problem))
	if !errors.Is(mistake, problem) {
		t.Errorf("errors.Is(%v, %v) = false", mistake, problem)
	}
	for want, origins := range map[string]settings.Origins{
		`starting: --a=1 --b="x y": use another`:                                             nil,
		`starting: --a=1 --b="x y": use another (--b comes from f.yaml:2)`:                   {"b": "f.yaml:2", "c": "C"},
		`starting: --a=1 --b="x y": use another (--a comes from A, --b comes from f.yaml:2)`: {"b": "f.yaml:2", "a": "A"},
	} {
		got := origins.Explain(mistake)
		if got.Error() != want || !errors.Is(got, problem) {
			t.Errorf("%v.Explain() = %q, want %q", origins, got, want)
		}
		if got := origins.Explain(problem); !errors.Is(got, problem) || got.Error() != problem.Error() {
			t.Errorf("Explain(%v) = %v, want no change", problem, got)
		}
	}
}

func TestPlainKeepsOtherErrors(t *testing.T) {
	t.Parallel()
	flags := pflag.NewFlagSet("program", pflag.ContinueOnError)
	flags.String("name", "", "")
	for _, arg := range []string{"--name", "--no-such"} {
		err := flags.Parse([]string{arg})
		if got := settings.Plain(err); err == nil || got.Error() != err.Error() {
			t.Errorf("Plain(%v) = %v, want no change", err, got)
		}
	}
}

func Example() {
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	port := flags.Int("port", 8080, "`number` of the port")
	_ = flags.Parse(nil)
	origins, err := settings.Sources{
		Variable: func(flag string) string { return "SERVE_" + strings.ToUpper(flag) },
		Lookup:   func(string) (string, bool) { return "80", true }, // usually os.LookupEnv
	}.Fill(flags)
	if err != nil {
		fmt.Println(err)
		return
	}
	if *port < 1024 {
		fmt.Println(origins.Explain(settings.Given("port", *port).Errorf("use 1024 or higher")))
	}
	// Output:
	// --port=80: use 1024 or higher (--port comes from SERVE_PORT)
}

// Every file results in options or in an error of one line.
func FuzzFile(f *testing.F) {
	for _, file := range []string{
		"name: a\nhttp-port: 1\n", "env: [A=1, B=2]\n", "{name: a}", "purge: yes", "a: &a [*a]", "? [x]\n: y", "name: |\n  a\n", "--- a\n--- b", "null", "<<: {name: b}", "\x00", "name: !!binary aGk=",
	} {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file string) {
		p, origins, err := fill(t, nil, file)
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("error %q has several lines", err)
		}
		if defaults := (program{name: "default", port: 80, wait: time.Second}); len(origins) == 0 && !cmp.Equal(defaults, p, cmp.AllowUnexported(program{})) {
			t.Errorf("options %+v without an origin", p)
		}
	})
}
