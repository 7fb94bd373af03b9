package embedded

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/port"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// prepared returns a cluster with ports and certificates and without processes.
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

// specs returns the Specs of the processes that can be built without an API server.
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

// Jaeger serves the given page. Another page requires a restart.
func TestJaegerServesAPage(t *testing.T) {
	t.Parallel()
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
			t.Errorf("page = %q, want %q", served, page)
		}
	}
	if len(revisions) != 3 {
		t.Errorf("revisions of three pages = %v, want three", revisions)
	}
}

// An argument of each process names the folder of the sandbox. All addresses are loopback
// addresses.
func TestSpecsNameTheFolderAndUseLoopback(t *testing.T) {
	t.Parallel()
	c := prepared(t)
	address := regexp.MustCompile(`\b\d+\.\d+\.\d+\.\d+\b`)
	for name, spec := range specs(t, c) {
		if !slices.ContainsFunc(spec.Args, func(a string) bool { return strings.Contains(a, c.dir.Path+"/") }) {
			t.Errorf("%s: got arguments %q, want one with %s", name, spec.Args, c.dir.Path)
		}
		if spec.Revision == "" {
			t.Errorf("%s: got no revision", name)
		}
		for _, word := range slices.Concat(spec.Args, spec.Env) {
			if strings.Contains(word, "cidr") || strings.Contains(word, "-range=") {
				continue
			}
			for _, found := range address.FindAllString(word, -1) {
				if !net.ParseIP(found).IsLoopback() {
					t.Errorf("%s: got %s, want a loopback address", name, word)
				}
			}
		}
	}
}

// Jaeger's page listens behind its gate, which has the user's port, and requires a password.
func TestJaegerIsBehindItsGate(t *testing.T) {
	t.Parallel()
	c := prepared(t)
	spec, err := c.jaeger(JaegerOptions{Program: "/bin/jaeger", Password: "squeamish"})
	if err != nil {
		t.Fatal(err)
	}
	own, users := c.ports()
	if own[component.JaegerPage] == users[component.UI] {
		t.Errorf("Jaeger and its gate have the same port %d", users[component.UI])
	}
	for _, want := range []string{fmt.Sprintf("JAEGER_UI_PORT=%d", own[component.JaegerPage]), "JAEGER_UI_AUTH={authenticator: basicauth}", "JAEGER_UI_PASSWORD=squeamish"} {
		if !slices.Contains(spec.Env, want) {
			t.Errorf("environment %q lacks %s", spec.Env, want)
		}
	}
}

// A second Prepare must not change a Spec, which would restart the process.
func TestSpecsAreStable(t *testing.T) {
	t.Parallel()
	c := prepared(t)
	first := specs(t, c)
	again := New(c.dir, c.table.Programs, c.record)
	if err := again.Prepare(t.Context(), component.Ports{}, nil); err != nil {
		t.Fatal(err)
	}
	for name, spec := range specs(t, again) {
		if !slices.Equal(spec.Args, first[name].Args) || !slices.Equal(spec.Env, first[name].Env) || spec.Revision != first[name].Revision {
			t.Errorf("Spec of %s = %+v, want\n%+v", name, spec, first[name])
		}
	}
}

func TestPortsAreDistinctAndSaved(t *testing.T) {
	t.Parallel()
	c := prepared(t)
	own, jaeger := c.ports()
	seen := map[int]bool{}
	numbers := slices.Collect(maps.Values(jaeger))
	numbers = slices.AppendSeq(numbers, maps.Values(own))
	for _, program := range component.ProgramsOn(component.Embedded) {
		for _, p := range program.Listens {
			if own[p.Name] == 0 {
				t.Errorf("the port %s of %s is not chosen", p.Name, program.Name)
			}
		}
	}
	for _, number := range numbers {
		if number == 0 || seen[number] {
			t.Errorf("port %d is 0 or not unique: %+v %+v", number, own, jaeger)
		}
		seen[number] = true
	}
	if saved, err := c.dir.Load(); err != nil || !maps.Equal(saved.ComponentPorts, own) || !maps.Equal(saved.Ports, jaeger) {
		t.Errorf("saved record = %+v, %v", saved, err)
	}
}

// move replaces a taken port, keeps other ports and updates the kubeconfig.
func TestMove(t *testing.T) {
	c := prepared(t)
	before, _ := c.ports()
	listener, err := net.Listen("tcp4", address(before[component.APIServerPort]))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, name := range []string{component.APIServer, component.Etcd, component.CertManagerWebhook, component.CertManagerController} {
		if err := c.move(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	after, _ := c.ports()
	// The webhook's port may be taken on another address, so it always moves.
	for name, number := range before {
		if moved := name == component.APIServerPort || name == component.CertManagerHook; (after[name] != number) != moved {
			t.Errorf("the port %s was %d and is %d, want another one: %v", name, number, after[name], moved)
		}
	}
	config, err := c.RESTConfig()
	if err != nil || config.Host != "https://"+address(after[component.APIServerPort]) {
		t.Errorf("RESTConfig = %v, %v, want port %d", config, err, after[component.APIServerPort])
	}
}

// Names in the arguments of the table become ports and files, and a program is checked at its address.
func TestProgramsOfTheTable(t *testing.T) {
	t.Parallel()
	c := prepared(t)
	own, _ := c.ports()
	for _, row := range component.All() {
		for _, p := range row.Programs {
			for _, text := range append(slices.Clone(p.Args), p.Answers) {
				if got := c.expand(text); strings.Contains(got, "$") || strings.Contains(got, ":0/") || strings.HasSuffix(got, "=") || strings.HasSuffix(got, ":0") {
					t.Errorf("%s: %q expands to %q", p.Name, text, got)
				}
			}
		}
	}
	hook := own[component.CertManagerHook]
	if got := c.expand("${certManagerHook} ${webhookClientCA}"); got != fmt.Sprint(hook, " ", c.authorities.webhook.CertFile) {
		t.Errorf("expand() = %q", got)
	}
	if got, want := c.WebhookAddress(component.Named(component.CertManager)), fmt.Sprintf("localhost:%d", hook); got != want {
		t.Errorf("WebhookAddress(cert-manager) = %q, want %q", got, want)
	}
	if got := c.WebhookAddress(component.Named(component.Jaeger)); got != "" {
		t.Errorf("WebhookAddress(jaeger) = %q, want none", got)
	}

	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	address := server.Listener.Addr().String()
	for answers, want := range map[string]bool{"": true, "tls://" + address: true, "tls://" + plain.Listener.Addr().String(): false, plain.URL: false} {
		if err := c.programAnswers(t.Context(), component.Program{Name: "a", Answers: answers}); (err == nil) != want {
			t.Errorf("programAnswers(%q) = %v, want success: %v", answers, err, want)
		}
	}
}

func TestPrepareRejectsATakenPort(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	taken := listener.Addr().(*net.TCPAddr).Port
	c := prepared(t)
	before, _ := c.ports()
	err = c.Prepare(t.Context(), component.Ports{component.UI: taken}, nil)
	if taken, is := err.(*port.TakenError); !is { //nolint:errorlint // The error must not be wrapped.
		t.Errorf("Prepare: got error %v, want a *port.TakenError, got %v", err, taken)
	}
	if after, _ := c.ports(); !maps.Equal(after, before) {
		t.Errorf("ports = %+v, before %+v", after, before)
	}
}

// The order contains every process once.
func TestStopOrderHasEveryProcess(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var all []string
	stopped := errors.New("stopped")
	err := inStopOrder(func(p component.Program) error {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, p.Name)
		return stopped
	})
	if !errors.Is(err, stopped) || err.Error() != "stopped (and 3 more)" {
		t.Errorf("inStopOrder() = %v, want the first of four errors", err)
	}
	if last := all[len(all)-1]; last != component.Etcd {
		t.Errorf("the last is %s, want %s", last, component.Etcd)
	}
	slices.Sort(all)
	names := component.NamesOf(component.ProgramsOn(component.Embedded))
	slices.Sort(names)
	if !slices.Equal(all, names) {
		t.Errorf("inStopOrder stops %q, want %q", all, names)
	}
}

func TestNothingRunsBeforeItIsStarted(t *testing.T) {
	t.Parallel()
	c := prepared(t)
	all, err := c.Status()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.PID != 0 || p.Message != "is not running" {
			t.Errorf("Status = %+v, want a process that is not running", p)
		}
	}
	if err := c.Down(t.Context()); err != nil {
		t.Error(err)
	}
}
