package proxy

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// BenchmarkProxy measures requests with an answer of 4 KB, directly and through the proxy: the time of
// one request after another, and the number of requests of 32 workers.
func BenchmarkProxy(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 4096)
	r := newRig(b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
	client, url := r.start(b, rest.Config{BearerToken: "token"})
	for name, server := range map[string]string{"direct": r.options.Upstream.Host, "proxy": url} {
		b.Run(name+"/latency", func(b *testing.B) {
			var times []time.Duration
			for b.Loop() {
				start := time.Now()
				request(b, client, server)
				times = append(times, time.Since(start))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-us")
			b.ReportMetric(float64(times[len(times)*95/100].Microseconds()), "p95-us")
		})
		b.Run(name+"/throughput", func(b *testing.B) {
			const workers = 32
			work := make(chan struct{})
			var group sync.WaitGroup
			for range workers {
				group.Go(func() {
					for range work {
						request(b, client, server)
					}
				})
			}
			for b.Loop() {
				work <- struct{}{}
			}
			close(work)
			group.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}

func request(b *testing.B, client *http.Client, url string) {
	b.Helper()
	answer, err := get(b, client, url+"/apis/dummy.example.com/v1alpha1/namespaces/default/heads/head-sample")
	if err != nil {
		b.Error(err)
		return
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		b.Error(err)
	}
}
