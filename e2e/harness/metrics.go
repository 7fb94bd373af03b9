package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/operator/tracing/provider"
	"github.com/operator-tracing/sandbox/sandbox/provider/existing"
)

// metricsPort is the port in the operator's --metrics-bind-address, on the loopback address of its
// Pod.
const metricsPort = 8080

// maxMetrics limits the size of an operator's metrics, in bytes.
const maxMetrics = 4 << 20

// podMetrics reads the metrics of a Pod whose server listens on its loopback.
type podMetrics func(ctx context.Context, pod types.NamespacedName) (map[string]*dto.MetricFamily, error)

// forwardedMetrics returns a podMetrics that uses a port forwarding of the API server.
func forwardedMetrics(config *rest.Config) podMetrics {
	return func(ctx context.Context, pod types.NamespacedName) (_ map[string]*dto.MetricFamily, err error) {
		defer func() {
			if err != nil {
				err = fmt.Errorf("reading the metrics of Pod %s: %w", pod, err)
			}
		}()
		streaming := rest.CopyConfig(config)
		streaming.Timeout = 0 // Closing it would end the stream.
		find := func(context.Context) (types.NamespacedName, error) { return pod, nil }
		forward, err := existing.NewForward(ctx, streaming, find, metricsPort)
		if err != nil {
			return nil, err
		}
		defer forward.Close()
		return readMetrics(ctx, fmt.Sprintf("http://127.0.0.1:%d/metrics", forward.Local(metricsPort)))
	}
}

func readMetrics(ctx context.Context, url string) (map[string]*dto.MetricFamily, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, errors.New(response.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(io.LimitReader(response.Body, maxMetrics))
}

// addLost adds the numbers of spans that an operator lost to counts, by the kind of the error.
func addLost(counts map[string]int, families map[string]*dto.MetricFamily) {
	for _, metric := range families[provider.ExportedMetric].GetMetric() {
		for _, label := range metric.GetLabel() {
			if label.GetName() == provider.ErrorTypeLabel && label.GetValue() != "" {
				counts[label.GetValue()] += int(metric.GetCounter().GetValue())
			}
		}
	}
}
