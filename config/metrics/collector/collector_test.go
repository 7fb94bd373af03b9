package collector

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/connector/signaltometricsconnector"
	"github.com/open-telemetry/opentelemetry-collector-contrib/connector/spanmetricsconnector"
	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusexporter"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/otlphttpexporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

const configuration = "file:../collector.yaml"

// TestDryRun checks the configuration as it is.
func TestDryRun(t *testing.T) {
	t.Parallel()
	if err := newCollector(t, configuration).DryRun(t.Context()); err != nil {
		t.Error(err)
	}
	if err := newCollector(t, configuration, "yaml:connectors::span_metrics::dimension: []").DryRun(t.Context()); err == nil {
		t.Error("a misspelled setting is accepted")
	}
}

// TestDashboard sends the traces of a healthy operator and of one with failures through the collector. Each
// query of the dashboard must use only metrics, labels and values that the collector then has.
func TestDashboard(t *testing.T) {
	t.Parallel()
	queries := dashboard(t)
	if len(queries) < 8 {
		t.Errorf("%d queries in the dashboard, want 8 or more", len(queries))
	}
	metrics := run(t, "../../../docs/trace.json", "../../../sandbox/explain/testdata/recorded/webhook-down.json")
	var families map[string]*dto.MetricFamily
	wait(t, "the metrics of the dashboard", func() (err error) {
		if families, err = scrape(t.Context(), metrics); err != nil {
			return err
		}
		var problems []string
		for _, query := range queries {
			for _, problem := range check(query, families) {
				problems = append(problems, query+": "+problem)
			}
		}
		if problems != nil {
			return errors.New(strings.Join(problems, "\n"))
		}
		return nil
	})
	for query, want := range map[string]string{
		`rate(traces_span_metrics_other_total[5m])`:                                          "no metric traces_span_metrics_other_total",
		`sum by (name) (rate(traces_span_metrics_calls_total[5m]))`:                          "no label name",
		`traces_span_metrics_calls_total{operator_object_name="web"}`:                        "no label operator_object_name",
		`traces_span_metrics_calls_total{status_code="ERROR"}`:                               "no value of status_code",
		`sum by (operator_reconcile_trigger) (operator_reconcile_queue_wait_seconds_bucket)`: "no label operator_reconcile_trigger",
	} {
		if got := check(query, families); !slices.ContainsFunc(got, func(p string) bool { return strings.HasPrefix(p, want) }) {
			t.Errorf("check(%s) = %q, want %q", query, got, want)
		}
	}
}

// run starts the collector, sends it traces, and returns the address of its metrics.
func run(t *testing.T, traces ...string) string {
	t.Helper()
	forwarded := make(chan struct{}, 1)
	backend := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case forwarded <- struct{}{}:
		default:
		}
	}))
	t.Cleanup(backend.Close)
	grpc, otlp, metrics := address(t), address(t), address(t)
	c := newCollector(t, configuration,
		"yaml:receivers::otlp::protocols::grpc::endpoint: "+grpc, "yaml:receivers::otlp::protocols::http::endpoint: "+otlp,
		"yaml:exporters::prometheus::endpoint: "+metrics, "yaml:exporters::otlp_http::endpoint: "+backend.URL,
		"yaml:connectors::span_metrics::metrics_flush_interval: 50ms", "yaml:service::telemetry::metrics::level: none")
	ended := make(chan error, 1)
	go func() { ended <- c.Run(context.WithoutCancel(t.Context())) }()
	t.Cleanup(func() {
		c.Shutdown()
		if err := <-ended; err != nil {
			t.Errorf("running the collector: %v", err)
		}
	})
	for _, file := range traces {
		trace, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		wait(t, "the receiver", func() error { return send(t.Context(), "http://"+otlp+"/v1/traces", trace) })
	}
	select {
	case <-forwarded:
	case <-t.Context().Done():
		t.Error("the collector does not forward the spans")
	}
	return "http://" + metrics + "/metrics"
}

func newCollector(t *testing.T, uris ...string) *otelcol.Collector {
	t.Helper()
	c, err := otelcol.NewCollector(otelcol.CollectorSettings{
		BuildInfo: component.NewDefaultBuildInfo(), Factories: factories, DisableGracefulShutdown: true,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			URIs: uris, DefaultScheme: "env",
			ProviderFactories: []confmap.ProviderFactory{fileprovider.NewFactory(), envprovider.NewFactory(), yamlprovider.NewFactory()},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func factories() (otelcol.Factories, error) {
	receivers, err1 := otelcol.MakeFactoryMap[receiver.Factory](otlpreceiver.NewFactory())
	exporters, err2 := otelcol.MakeFactoryMap[exporter.Factory](prometheusexporter.NewFactory(), otlphttpexporter.NewFactory())
	connectors, err3 := otelcol.MakeFactoryMap[connector.Factory](spanmetricsconnector.NewFactory(), signaltometricsconnector.NewFactory())
	return otelcol.Factories{Receivers: receivers, Exporters: exporters, Connectors: connectors, Telemetry: otelconftelemetry.NewFactory()}, errors.Join(err1, err2, err3)
}

// address returns a free address of this machine.
func address(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// wait repeats a request until it succeeds.
func wait(t *testing.T, what string, request func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := request()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waiting for %s: %v", what, err)
		}
	}
}

func send(ctx context.Context, url string, trace []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(trace))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

func scrape(ctx context.Context, url string) (map[string]*dto.MetricFamily, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(response.Body)
}

// dashboard returns the queries of the dashboard, without Grafana's variables.
func dashboard(t *testing.T) (queries []string) {
	t.Helper()
	data, err := os.ReadFile("../dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Templating struct {
			List []struct {
				Type  string
				Query any
			}
		}
		Panels []struct {
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(data, &board); err != nil {
		t.Fatal(err)
	}
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			queries = append(queries, strings.NewReplacer("$__rate_interval", "5m", "$service", ".*").Replace(target.Expr))
		}
	}
	for _, variable := range board.Templating.List {
		if query, ok := variable.Query.(map[string]any); ok {
			selector, label, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(query["query"]), "label_values("), ")"), ", ")
			queries = append(queries, fmt.Sprintf("sum by (%s) (%s)", label, selector))
		}
	}
	return queries
}

// check returns the metrics, labels and values of a query that do not exist.
func check(query string, families map[string]*dto.MetricFamily) (problems []string) {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return []string{err.Error()}
	}
	known := map[string]bool{}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		family := families[selector.Name]
		if name, ok := strings.CutSuffix(selector.Name, "_bucket"); ok {
			family = families[name]
			known["le"] = true
		}
		if family == nil {
			problems = append(problems, "no metric "+selector.Name)
			return nil
		}
		own := map[string][]string{labels.MetricName: {selector.Name}}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				own[label.GetName()] = append(own[label.GetName()], label.GetValue())
				known[label.GetName()] = true
			}
		}
		for _, matcher := range selector.LabelMatchers {
			if values := own[matcher.Name]; values == nil {
				problems = append(problems, "no label "+matcher.Name)
			} else if !slices.ContainsFunc(values, matcher.Matches) {
				problems = append(problems, "no value of "+matcher.Name+" matches "+matcher.Value)
			}
		}
		return nil
	})
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if aggregate, ok := node.(*parser.AggregateExpr); ok {
			for _, label := range aggregate.Grouping {
				if !known[label] {
					problems = append(problems, "no label "+label)
				}
			}
		}
		return nil
	})
	return problems
}
