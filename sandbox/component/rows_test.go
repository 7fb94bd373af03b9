package component_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/modfile"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

// eachRow runs a test for every row of the table.
func eachRow(t *testing.T, test func(*testing.T, component.Component)) {
	t.Helper()
	for _, c := range component.All() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			test(t, c)
		})
	}
}

var clusters = []string{component.Kind, component.Embedded, component.Existing}

// A published image has a tag, which is the version, and a digest as far as it is known.
func TestImages(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[a-z0-9.]+(/[a-z0-9-]+)+:v?[0-9]+\.[0-9]+(\.[0-9]+)?(@sha256:[0-9a-f]{64})?$`)
	eachRow(t, func(t *testing.T, c component.Component) {
		if n := len(c.Images); n > 1 && len(c.Programs) > 0 && n != len(c.Programs) {
			t.Errorf("%d images for %d programs, want one for each", n, len(c.Programs))
		}
		seen := map[string]bool{}
		for _, image := range c.Images {
			full := image
			if first, _, _ := strings.Cut(image, "/"); !strings.Contains(first, ".") {
				full = "docker.io/" + image // kind omits the host.
			}
			if !form.MatchString(full) || seen[image] {
				t.Errorf("the image %q has another form, or occurs twice", image)
			}
			seen[image] = true
			if !strings.Contains(image, "@sha256:") && c.Name != component.Jaeger {
				t.Errorf("the image %q has no digest: a registry could replace it", image)
			}
			if c.Version != "" && !strings.Contains(image, ":"+strings.TrimPrefix(c.Version, "v")) && !strings.Contains(image, ":"+c.Version) {
				t.Errorf("the image %q is not of the version %s", image, c.Version)
			}
		}
	})
}

// Each program of a component with several images has its own, by the name of its executable.
func TestImageOfAProgram(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ component, program, want string }{
		{component.CertManager, "controller", "cert-manager-controller:"},
		{component.CertManager, "webhook", "cert-manager-webhook:"},
		{component.CertManager, component.CertManagerWebhook, ""}, // Its executable has another name.
		{component.Jaeger, component.Jaeger, "jaegertracing/jaeger:"},
		{component.Operator, component.Operator, ""},
		{component.Sample, "", ""},
	} {
		got := component.Named(test.component).Image(test.program)
		if !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("Image(%s) of %s = %q, want %q", test.program, test.component, got, test.want)
		}
	}
}

// A component can start: what it needs is in the table, and no two components wait for each other.
func TestNeeds(t *testing.T) {
	t.Parallel()
	var reach func(name string, path []string)
	reach = func(name string, path []string) {
		if slices.Contains(path, name) {
			t.Errorf("components wait for each other: %q", append(path, name))
			return
		}
		if component.Named(name).Name == "" {
			t.Errorf("%q needs %q, which is not in the table", path, name)
		}
		for _, need := range component.Named(name).Needs {
			reach(need, append(slices.Clone(path), name))
		}
	}
	for _, c := range component.All() {
		reach(c.Name, nil)
	}
}

// A program stops before the programs that it needs.
func TestStopOrder(t *testing.T) {
	t.Parallel()
	eachRow(t, func(t *testing.T, c component.Component) {
		needs := slices.Clone(c.Needs)
		if c.Name != component.ControlPlane && !c.IsOutside(component.Embedded) {
			needs = append(needs, component.ControlPlane)
		}
		for _, need := range needs {
			for _, p := range c.Main() {
				for _, needed := range component.Named(need).Main() {
					if p.Stop > needed.Stop {
						t.Errorf("%s stops in group %d, after %s in group %d", p.Name, p.Stop, needed.Name, needed.Stop)
					}
				}
			}
		}
	})
	stop := map[string]int{}
	for _, p := range component.Named(component.ControlPlane).Main() {
		stop[p.Name] = p.Stop
	}
	if stop[component.APIServer] >= stop[component.Etcd] || stop[component.Scheduler] >= stop[component.APIServer] {
		t.Errorf("groups of the control plane: %v; want etcd last, after the API server", stop)
	}
}

// Each ${NAME} in the arguments and the address of a program is one of its ports or a file.
func TestArguments(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`\$\{(\w*)\}`)
	eachRow(t, func(t *testing.T, c component.Component) {
		for _, p := range c.Programs {
			known := []string{component.WebhookClientCA}
			for _, l := range p.Listens {
				known = append(known, l.Name)
			}
			for _, text := range append(slices.Clone(p.Args), p.Answers) {
				for _, found := range name.FindAllStringSubmatch(text, -1) {
					if !slices.Contains(known, found[1]) {
						t.Errorf("%s: %q names %q, want one of %q", p.Name, text, found[1], known)
					}
				}
				if strings.Count(text, "$") != len(name.FindAllString(text, -1)) {
					t.Errorf("%s: %q has a $ without a name", p.Name, text)
				}
			}
			if p.Answers == "" {
				continue
			}
			if address, err := url.Parse(name.ReplaceAllString(p.Answers, "1")); err != nil || address.Port() != "1" || address.Scheme != "http" && address.Scheme != "tls" {
				t.Errorf("%s answers at %q, want an http or tls address with a port: %v", p.Name, p.Answers, err)
			}
			for _, l := range p.Listens {
				if l.Everywhere && !l.Webhook {
					t.Errorf("%s listens for %s on every address, but is not a webhook", p.Name, l.Name)
				}
			}
		}
	})
}

// A port of the user has a flag, a text for its help, and an address.
func TestPorts(t *testing.T) {
	t.Parallel()
	flag, env := regexp.MustCompile(`^[a-z]+(-[a-z]+)*-port$`), regexp.MustCompile(`^[A-Z]+(_[A-Z]+)*_PORT$`)
	for _, p := range component.AllPorts() {
		if p.Number < 1 || p.Number > 65535 || !flag.MatchString(p.Flag) || !env.MatchString(p.Env) || p.Use == "" || p.Label == "" {
			t.Errorf("port %+v is incomplete", p)
		}
		if (p.Path != "") && p.Scheme == "" {
			t.Errorf("port %s has a path, but no scheme", p.Name)
		}
		address := p.Address(p.Number)
		if p.Scheme == "" {
			host, number, err := net.SplitHostPort(address)
			if err != nil || host != "127.0.0.1" || number != strconv.Itoa(p.Number) {
				t.Errorf("Address() of %s = %q, %v", p.Name, address, err)
			}
			continue
		}
		parsed, err := url.Parse(address)
		if err != nil || parsed.Scheme != p.Scheme || parsed.Path != p.Path || parsed.Host != fmt.Sprintf("127.0.0.1:%d", p.Number) {
			t.Errorf("Address() of %s = %q, %v", p.Name, address, err)
		}
	}
	if p := component.PortNamed("none"); p != (component.Port{}) || p.Address(0) != "" {
		t.Errorf("PortNamed(none) = %+v, want none", p)
	}
}

// A change of one port keeps the others; only chosen ports have to be the same.
func TestSatisfiedBy(t *testing.T) {
	t.Parallel()
	numbers := []int{0, 5000, 5001}
	for _, ui := range numbers {
		for _, query := range numbers {
			wanted := component.Ports(nil).With(component.UI, ui).With(component.Query, query)
			if wanted.Chosen() != (ui != 0 || query != 0) {
				t.Errorf("%v.Chosen() = %t", wanted, wanted.Chosen())
			}
			for _, used := range []component.Ports{nil, {component.UI: 5000}, {component.UI: 5000, component.Query: 5001}, {component.UI: 5001, component.Query: 5000}} {
				want := (ui == 0 || ui == used[component.UI]) && (query == 0 || query == used[component.Query])
				if got := wanted.SatisfiedBy(used); got != want {
					t.Errorf("%v.SatisfiedBy(%v) = %t, want %t", wanted, used, got, want)
				}
			}
			if !wanted.SatisfiedBy(wanted) || !component.Ports(nil).SatisfiedBy(wanted) {
				t.Errorf("%v does not satisfy itself or an empty set of ports", wanted)
			}
		}
	}
}

// What a provider does with a component, by its kind of cluster.
func TestPhases(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, cluster               string
		fetched, delivered, outside bool
	}{
		{component.ControlPlane, component.Kind, true, true, false},
		{component.ControlPlane, component.Embedded, true, false, false},
		{component.Node, component.Embedded, true, false, false},
		{component.CertManager, component.Kind, true, true, false},
		{component.CertManager, component.Embedded, true, true, false},
		{component.CertManager, component.Existing, true, true, false},
		{component.Jaeger, component.Kind, true, true, false},
		{component.Jaeger, component.Embedded, true, false, true},
		{component.Operator, component.Embedded, true, true, false},
		{component.Sample, component.Kind, true, true, false},
		{component.Sample, component.Embedded, false, false, false},
	} {
		c := component.Named(test.name)
		if c.IsFetched(test.cluster) != test.fetched || c.IsDelivered(test.cluster) != test.delivered || c.IsOutside(test.cluster) != test.outside {
			t.Errorf("%s on %s: fetched %t, delivered %t, outside %t; want %t, %t, %t", test.name, test.cluster,
				c.IsFetched(test.cluster), c.IsDelivered(test.cluster), c.IsOutside(test.cluster), test.fetched, test.delivered, test.outside)
		}
	}
	for _, cluster := range clusters {
		var want []string
		if cluster == component.Embedded {
			want = []string{component.Jaeger}
		}
		if got := component.NamesOutside(cluster); !slices.Equal(got, want) {
			t.Errorf("NamesOutside(%s) = %q, want %q", cluster, got, want)
		}
	}
}

// A component has the same programs everywhere, except add-ons on an embedded cluster.
func TestPrograms(t *testing.T) {
	t.Parallel()
	for _, cluster := range clusters {
		programs := component.ProgramsOn(cluster)
		for _, p := range programs {
			if p.Addon && cluster == component.Embedded {
				t.Errorf("the add-on %s is on an embedded cluster", p.Name)
			}
			owner, found, has := component.ProgramNamed(p.Name)
			if !has || found.Name != p.Name || !slices.ContainsFunc(owner.Programs, func(o component.Program) bool { return o.Name == p.Name }) {
				t.Errorf("ProgramNamed(%s) = %s of %s, %t", p.Name, found.Name, owner.Name, has)
			}
		}
		if names := component.NamesOf(programs); len(names) != len(programs) {
			t.Errorf("NamesOf() = %q for %d programs", names, len(programs))
		}
	}
	if c, p, found := component.ProgramNamed("none"); found || c.Name != "" || p.Name != "" {
		t.Errorf("ProgramNamed(none) = %s of %s, %t", p.Name, c.Name, found)
	}
	if names := component.NamesOf(nil); names == nil || len(names) != 0 {
		t.Errorf("NamesOf(nil) = %v, want an empty list", names)
	}
	if got, want := component.Named(component.CertManager).Binaries(), []string{"controller", "cainjector", "webhook"}; !slices.Equal(got, want) {
		t.Errorf("Binaries() = %q, want %q", got, want)
	}
}

// The names of logs select the programs of one component.
func TestLogGroups(t *testing.T) {
	t.Parallel()
	eachRow(t, func(t *testing.T, c component.Component) {
		group := c.LogGroup()
		if strings.ContainsAny(group, " /") || c.Called() == "" {
			t.Errorf("LogGroup() = %q, Called() = %q", group, c.Called())
		}
		if owner, _, is := component.ProgramNamed(group); is && owner.Name != c.Name {
			t.Errorf("the group %q is also a program of %s", group, owner.Name)
		}
	})
}

// The version of a component is the version of the module that builds it.
func TestSources(t *testing.T) {
	t.Parallel()
	eachRow(t, func(t *testing.T, c component.Component) {
		source := c.Source
		if source.Module == "" {
			if c.Chart != nil {
				t.Errorf("the chart of %s has no module", c.Name)
			}
			return
		}
		path := filepath.Join("..", "..", source.Module, "go.mod")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		module, err := modfile.Parse(path, data, nil)
		if err != nil {
			t.Fatal(err)
		}
		if source.Output == "" || source.Package == "" {
			t.Errorf("source %+v is incomplete", source)
		}
		if source.Package == "tool" && len(module.Tool) == 0 {
			t.Errorf("%s has no tools", path)
		}
		if source.Stamp != "" && !strings.HasSuffix(source.Stamp, "="+c.Version) {
			t.Errorf("the stamp %q has not the version %s", source.Stamp, c.Version)
		}
		if user, err := strconv.Atoi(source.User); source.User != "" && (err != nil || user == 0) {
			t.Errorf("the user %q is not a number above 0", source.User)
		}
		if c.Chart == nil {
			return
		}
		required := slices.ContainsFunc(module.Require, func(r *modfile.Require) bool {
			return r.Mod.Path == c.Chart.Module && r.Mod.Version == c.Version
		})
		if !required {
			t.Errorf("%s does not require %s %s, which has the chart", path, c.Chart.Module, c.Version)
		}
		if c.ChartName() != c.Name+"-chart" || c.Namespace == "" {
			t.Errorf("chart %s in the namespace %q", c.ChartName(), c.Namespace)
		}
	})
}

// Images and tolerations are at the places where the chart reads them, and nothing else changes.
func TestChartValuesByOption(t *testing.T) {
	t.Parallel()
	values := component.Named(component.CertManager).Chart.Values
	image := func(name string) map[string]any { return map[string]any{"repository": name} }
	tolerations := []any{map[string]any{"key": "a"}}
	for name, test := range map[string]struct {
		options component.ChartOptions
		change  func(all, cainjector, webhook map[string]any)
	}{
		"none": {component.ChartOptions{}, func(_, _, _ map[string]any) {}},
		"all images": {component.ChartOptions{Images: []map[string]any{image("a"), image("b"), image("c")}}, func(all, cainjector, webhook map[string]any) {
			all["image"], cainjector["image"], webhook["image"] = image("a"), image("b"), image("c")
		}},
		"one image": {component.ChartOptions{Images: []map[string]any{image("a")}}, func(all, _, _ map[string]any) { all["image"] = image("a") }},
		"a webhook of this machine": {component.ChartOptions{WebhookAddress: "localhost:1"}, func(_, _, webhook map[string]any) {
			webhook["url"] = map[string]any{"host": "localhost:1"}
		}},
		"tolerations": {component.ChartOptions{Tolerations: tolerations}, func(all, cainjector, webhook map[string]any) {
			all["tolerations"], cainjector["tolerations"], webhook["tolerations"] = tolerations, tolerations, tolerations
		}},
	} {
		want := values(component.ChartOptions{})
		test.change(want, want["cainjector"].(map[string]any), want["webhook"].(map[string]any))
		if diff := cmp.Diff(want, values(test.options)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	var charts []string
	for _, c := range component.WithChart() {
		charts = append(charts, c.Name)
	}
	if !slices.Equal(charts, []string{component.CertManager}) {
		t.Errorf("WithChart() = %q", charts)
	}
}

// jaegers are servers of Jaeger's ports, of which one may fail.
func jaegers(t *testing.T, failing string) (addresses map[string]string, asked func(string) int) {
	t.Helper()
	addresses = map[string]string{}
	count := map[string]int{}
	var mu sync.Mutex
	for _, port := range []string{component.UI, component.Query, component.OTLPGRPC, component.OTLPHTTP, component.Thrift} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			count[port]++
			if w.Header().Set("Content-Type", r.Header.Get("Content-Type")); port == failing {
				w.WriteHeader(http.StatusServiceUnavailable)
			} else if r.Method == http.MethodGet {
				fmt.Fprint(w, `{"services": []}`)
			}
		}))
		t.Cleanup(server.Close)
		addresses[port] = server.URL
	}
	addresses[component.OTLPHTTP] = strings.TrimPrefix(addresses[component.OTLPHTTP], "http://")
	return addresses, func(port string) int {
		mu.Lock()
		defer mu.Unlock()
		return count[port]
	}
}

// Jaeger is ready when both of its query APIs and both of its receivers answer. A port that this
// machine does not reach is not asked.
func TestJaegerServes(t *testing.T) {
	t.Parallel()
	check := component.Named(component.Jaeger).Check
	for _, failing := range []string{"", component.UI, component.Query, component.OTLPGRPC, component.OTLPHTTP, component.Thrift} {
		t.Run("failing: "+failing, func(t *testing.T) {
			t.Parallel()
			addresses, asked := jaegers(t, failing)
			err := check(t.Context(), addresses)
			want := failing != "" && failing != component.Thrift
			if (err != nil) != want || want && !strings.HasPrefix(err.Error(), "checking Jaeger's port "+failing+": ") {
				t.Errorf("Check() = %v, want an error: %t", err, want)
			}
			if asked(component.Thrift) != 0 {
				t.Error("the Thrift port was asked, which nothing can ask without sending spans")
			}
			if !want {
				return
			}
			delete(addresses, failing)
			if err := check(t.Context(), addresses); err != nil {
				t.Errorf("Check() without the port = %v", err)
			}
		})
	}
	if err := check(t.Context(), nil); err != nil {
		t.Errorf("Check() without addresses = %v", err)
	}
	if err := check(t.Context(), map[string]string{component.UI: "http://"}); err == nil {
		t.Error("Check() of an invalid address returned no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	addresses, _ := jaegers(t, "")
	if err := check(ctx, addresses); err == nil {
		t.Error("Check() after the end of the context returned no error")
	}
}

// A row that a test adds is before the sample, on its kinds of clusters, until it is removed. Readers
// of the table keep their copy.
func TestAdd(t *testing.T) {
	before := component.All()
	remove := component.Add(component.Component{Name: "prometheus", Clusters: []string{component.Kind}, Programs: []component.Program{{Name: "prometheus"}}})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 100 {
				_ = component.Named("prometheus")
				component.Add(component.Component{Name: "other"})()
			}
		})
	}
	group.Wait()
	for _, cluster := range clusters {
		on := component.On(cluster)
		has := slices.ContainsFunc(on, func(c component.Component) bool { return c.Name == "prometheus" })
		if has != (cluster == component.Kind) || on[len(on)-1].Name != component.Sample {
			t.Errorf("On(%s) has the new row: %t, and ends with %s", cluster, has, on[len(on)-1].Name)
		}
	}
	remove()
	remove() // It can be repeated.
	if after := component.All(); len(after) != len(before) || component.Named("prometheus").Name != "" {
		t.Errorf("%d rows after the removal, want %d", len(after), len(before))
	}
	changed := component.All()
	changed[0].Name = "changed"
	if component.All()[0].Name == "changed" {
		t.Error("a change of the copy changes the table")
	}
}

// Records, scripts and dashboards have these names: a new version may add some, but not rename any.
func TestNamesThatOthersUse(t *testing.T) {
	t.Parallel()
	var ports, listeners, programs []string
	for _, c := range component.All() {
		for _, p := range c.Ports {
			ports = append(ports, strings.Join([]string{p.Name, strconv.Itoa(p.Number), p.Flag, p.Env, p.Variable}, " "))
		}
		for _, p := range c.Programs {
			programs = append(programs, p.Name)
			for _, l := range p.Listens {
				listeners = append(listeners, l.Name)
			}
		}
	}
	for name, test := range map[string]struct{ got, want []string }{
		"ports": {ports, []string{
			"ui 16686 jaeger-ui-port JAEGER_UI_PORT ", "query 16685 jaeger-query-port JAEGER_QUERY_PORT ",
			"otlpGRPC 4317 otlp-grpc-port JAEGER_OTLP_GRPC_PORT OTEL_EXPORTER_OTLP_ENDPOINT", "otlpHTTP 4318 otlp-http-port JAEGER_OTLP_HTTP_PORT ",
			"thrift 14268 thrift-port JAEGER_THRIFT_PORT OTEL_EXPORTER_JAEGER_ENDPOINT",
		}},
		"listeners": {listeners, []string{"etcd", "etcdPeer", "apiServer", "certManager", "certManagerHook", "jaegerHealth", "operatorHook", "operatorHealth"}},
		"programs": {programs, []string{
			"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "coredns", "kwok",
			"cert-manager-controller", "cert-manager-cainjector", "cert-manager-webhook", "jaeger", "operator",
		}},
	} {
		for _, want := range test.want {
			if !slices.Contains(test.got, want) {
				t.Errorf("the %s are %q, want %q in them", name, test.got, want)
			}
		}
	}
}

// The webhooks of an embedded cluster are processes that the API server reaches by a port.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	want := map[string]string{component.CertManager: component.CertManagerHook, component.Operator: component.OperatorHook}
	eachRow(t, func(t *testing.T, c component.Component) {
		if got := c.Webhook(); got != want[c.Name] {
			t.Errorf("Webhook() = %q, want %q", got, want[c.Name])
		}
		if c.Webhook() != "" && !c.DefinesKinds {
			t.Error("it has a webhook, but no kinds")
		}
	})
}

// A group belongs to at most one component, with all its subgroups.
func TestGroups(t *testing.T) {
	t.Parallel()
	for _, group := range []string{"", "apps", "cert-manager.io", "acme.cert-manager.io", "dummy.example.com", "xcert-manager.io"} {
		var owners []string
		for _, c := range component.All() {
			if c.Owns(group) {
				owners = append(owners, c.Name)
			}
		}
		want := group == "cert-manager.io" || group == "acme.cert-manager.io"
		if (len(owners) == 1) != want || len(owners) > 1 {
			t.Errorf("the group %q belongs to %q, want cert-manager: %t", group, owners, want)
		}
	}
	definition := component.Named(component.CertManager).Definition
	if _, group, _ := strings.Cut(definition, "."); !component.Named(component.CertManager).Owns(group) {
		t.Errorf("the definition %s has a group of others", definition)
	}
}

// The two images of the sample differ, so that a change of the one to the other is a change.
func TestSampleImages(t *testing.T) {
	t.Parallel()
	images := component.Named(component.Sample).Images
	if len(images) != 2 || images[0] == images[1] || !strings.HasPrefix(images[0], component.Pause+"@") || !strings.HasPrefix(images[1], component.PauseOther+"@") {
		t.Errorf("images %q, want %s and %s", images, component.Pause, component.PauseOther)
	}
}
