package embedded

import (
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/port"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// prepared is a cluster with ports and certificates, in which nothing runs.
func prepared(t *testing.T) *Cluster {
	t.Helper()
	dir, err := state.Open(filepath.Join(t.TempDir(), "a state", "folder"))
	if err != nil {
		t.Fatal(err)
	}
	c := New(dir, t.TempDir(), &state.Record{Name: "test"})
	if err := c.Prepare(t.Context(), component.Ports{}, nil); err != nil {
		t.Fatal(err)
	}
	return c
}

// specs are those of the processes that need no API server for theirs.
func specs(t *testing.T, c *Cluster) map[string]process.Spec {
	t.Helper()
	all := map[string]process.Spec{}
	jaeger := func(program string) (process.Spec, error) {
		return c.jaeger(JaegerOptions{Program: program, Page: []byte("<p>a page")})
	}
	for name, spec := range map[string]func(string) (process.Spec, error){
		component.Etcd: c.etcd, component.APIServer: c.apiServer, component.ControllerManager: c.controllerManager, component.Scheduler: c.scheduler, component.Jaeger: jaeger,
	} {
		s, err := spec("/bin/" + name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = s
	}
	return all
}

// Jaeger serves the page that it is given, and another page is another process.
func TestJaegerServesAPage(t *testing.T) {
	c := prepared(t)
	revisions := map[string]bool{}
	for _, page := range []string{"", "<p>one", "<p>two"} {
		spec, err := c.jaeger(JaegerOptions{Program: "/bin/jaeger", Page: []byte(page)})
		if err != nil {
			t.Fatal(err)
		}
		revisions[spec.Revision] = true
		served := ""
		for _, variable := range spec.Env {
			if folder, found := strings.CutPrefix(variable, "JAEGER_UI_ASSETS="); found {
				content, err := os.ReadFile(filepath.Join(folder, "index.html"))
				if err != nil {
					t.Fatal(err)
				}
				served = string(content)
			}
		}
		if served != page {
			t.Errorf("Jaeger would serve %q, want %q", served, page)
		}
	}
	if len(revisions) != 3 {
		t.Errorf("three pages have the revisions %v", revisions)
	}
}

// A process is known by an argument that names the sandbox's folder, and listens on loopback, whatever it listens on.
func TestSpecsAreTheSandboxsOwnAndStayOnLoopback(t *testing.T) {
	c := prepared(t)
	address := regexp.MustCompile(`\b\d+\.\d+\.\d+\.\d+\b`)
	for name, spec := range specs(t, c) {
		if !slices.ContainsFunc(spec.Args, func(a string) bool { return strings.Contains(a, c.dir.Path+"/") }) {
			t.Errorf("%s: no argument names %s: %q", name, c.dir.Path, spec.Args)
		}
		if spec.Revision == "" {
			t.Errorf("%s has no revision", name)
		}
		for _, word := range slices.Concat(spec.Args, spec.Env) {
			if strings.Contains(word, "cidr") || strings.Contains(word, "-range=") {
				continue
			}
			for _, found := range address.FindAllString(word, -1) {
				if !net.ParseIP(found).IsLoopback() {
					t.Errorf("%s: %s", name, word)
				}
			}
		}
	}
}

// The second look at the same cluster must start nothing anew.
func TestSpecsAreStable(t *testing.T) {
	c := prepared(t)
	first := specs(t, c)
	again := New(c.dir, c.table.Programs, c.record)
	if err := again.Prepare(t.Context(), component.Ports{}, nil); err != nil {
		t.Fatal(err)
	}
	for name, spec := range specs(t, again) {
		if !slices.Equal(spec.Args, first[name].Args) || !slices.Equal(spec.Env, first[name].Env) || spec.Revision != first[name].Revision {
			t.Errorf("%s became\n%+v, it was\n%+v", name, spec, first[name])
		}
	}
}

func TestPortsAreChosenOnceAndEachOnce(t *testing.T) {
	c := prepared(t)
	own, jaeger := c.ports()
	seen := map[int]bool{}
	numbers := slices.Collect(maps.Values(jaeger))
	for _, p := range allPorts(&own) {
		numbers = append(numbers, *p)
	}
	for _, number := range numbers {
		if number == 0 || seen[number] {
			t.Errorf("port %d is 0 or was chosen twice: %+v %+v", number, own, jaeger)
		}
		seen[number] = true
	}
	if saved, err := c.dir.Load(); err != nil || saved.ComponentPorts != own || !maps.Equal(saved.Ports, jaeger) {
		t.Errorf("the record has %+v, %v", saved, err)
	}
}

// A port that somebody else took is replaced; the others stay, and the kubeconfig follows.
func TestMove(t *testing.T) {
	c := prepared(t)
	before, _ := c.ports()
	listener, err := net.Listen("tcp4", address(before.APIServer))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	server := service{name: component.APIServer, ports: func(p *state.ComponentPorts) []*int { return []*int{&p.APIServer, &p.Etcd} }}
	if err := c.move(t.Context(), server); err != nil {
		t.Fatal(err)
	}
	after, _ := c.ports()
	if after.APIServer == before.APIServer || after.Etcd != before.Etcd {
		t.Errorf("ports %+v, before %+v", after, before)
	}
	config, err := c.RESTConfig()
	if err != nil || config.Host != "https://"+address(after.APIServer) {
		t.Errorf("the kubeconfig names %v, %v", config, err)
	}
}

func TestPrepareRefusesAPortThatIsTaken(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	taken := listener.Addr().(*net.TCPAddr).Port
	c := prepared(t)
	before, _ := c.ports()
	err = c.Prepare(t.Context(), component.Ports{component.UI: taken}, nil)
	if taken, is := err.(*port.TakenError); !is { //nolint:errorlint // It must be this error, as it is.
		t.Errorf("error %v, %v", err, taken)
	}
	if after, _ := c.ports(); after != before {
		t.Errorf("ports %+v, before %+v", after, before)
	}
}

func TestExplain(t *testing.T) {
	for _, test := range []struct {
		name, tail, want string
		blamed           bool
	}{
		{"nothing", "", "etcd ended and wrote nothing", false},
		{"its last line", "a\nb\n", "etcd ended: b; `sandbox logs etcd` has more", false},
		{"the line that tells", "x\n{\"level\":\"fatal\",\"msg\":\"bad\"}\n\tgoroutine\n", `etcd ended: {"level":"fatal","msg":"bad"}; `, false},
		{"a panic", "x\npanic: freepages\n\ngoroutine 1\n", "etcd ended: panic: freepages; ", false},
		{"a long line", strings.Repeat("é", 500), "etcd ended: " + strings.Repeat("é", 300) + "…; ", false},
		{"a full disk", "Error: write: no space left on device\n", "etcd ended: Error: write: no space left on device: make room there", true},
		{"a port", "Error: listen: bind: address already in use", "etcd ended: Error: listen: bind: address already in use: end the program", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := explain(&process.DiedError{Name: "etcd", Tail: test.tail})
			if !strings.HasPrefix(got.Error(), test.want) || (got.remedy != "") != test.blamed {
				t.Errorf("%q, remedy %q", got, got.remedy)
			}
			if strings.Contains(got.Error(), "\n") {
				t.Errorf("several lines: %q", got)
			}
		})
	}
}

// Every process is ended, each once, and none before those that need it.
func TestStopOrderHasEveryProcess(t *testing.T) {
	all := component.NamesOf(slices.Concat(stopOrder()...))
	slices.Sort(all)
	names := component.NamesOf(component.ProgramsOn(component.Embedded))
	slices.Sort(names)
	if !slices.Equal(all, names) {
		t.Errorf("%q are ended, %q are there", all, names)
	}
}

func TestNothingRunsBeforeItIsStarted(t *testing.T) {
	c := prepared(t)
	all, err := c.Status()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.PID != 0 || p.Message != "does not run" {
			t.Errorf("%+v", p)
		}
	}
	if err := c.Down(t.Context()); err != nil {
		t.Error(err)
	}
}
