package inject

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

// BenchmarkInjector measures requests of one client, in sequence, with and without an injector. The
// metric p95 is the time of a request that 95 of 100 do not exceed.
func BenchmarkInjector(b *testing.B) {
	object := `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"namespace":"ns-1","name":"web","uid":"u","resourceVersion":"7"},"data":{"k":"` + string(make4K()) + `"}}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, object)
	}))
	b.Cleanup(server.Close)
	for _, request := range []struct{ method, path, body string }{
		{http.MethodGet, configMaps + "/web", ""},
		{http.MethodPut, configMaps + "/web", object},
		{http.MethodPost, configMaps, object},
	} {
		for name, transport := range map[string]func() http.RoundTripper{
			"direct":   func() http.RoundTripper { return http.DefaultTransport },
			"injector": func() http.RoundTripper { return newInjector(b, Options{}) },
		} {
			b.Run(fmt.Sprint(request.method, "/", name), func(b *testing.B) {
				fake := &fakeServer{Server: server}
				c := clientOf(b, fake, transport())
				took := make([]time.Duration, 0, b.N)
				b.ReportAllocs()
				for b.Loop() {
					start := time.Now()
					if code, _, err := c.do(request.method, request.path, request.body); err != nil || code != http.StatusOK {
						b.Fatal(code, err)
					}
					took = append(took, time.Since(start))
				}
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)*95/100].Microseconds()), "p95-µs")
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
			})
		}
	}
}

func make4K() []byte {
	data := make([]byte, 4<<10)
	for i := range data {
		data[i] = 'a' + byte(i%26)
	}
	return data
}

// BenchmarkWatch measures the events of one watch.
func BenchmarkWatch(b *testing.B) {
	frame := []byte(`{"type":"MODIFIED","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"namespace":"ns-1","name":"web","uid":"u","resourceVersion":"7"},"data":{"k":"` + string(make4K()) + `"}}}` + "\n")
	for name, injected := range map[string]bool{"direct": false, "injector": true} {
		b.Run(name, func(b *testing.B) {
			endless := &repeated{frame: frame}
			var body io.Reader = endless
			if injected {
				i := newInjector(b, Options{})
				answers := roundTripper(func(req *http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: endless, Request: req}, nil
				})
				req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://host"+configMaps+"?watch=true&resourceVersion=1", http.NoBody)
				if err != nil {
					b.Fatal(err)
				}
				resp, err := i.Wrap(answers).RoundTrip(req)
				if err != nil {
					b.Fatal(err)
				}
				defer resp.Body.Close()
				body = resp.Body
			}
			buf := make([]byte, len(frame))
			b.SetBytes(int64(len(frame)))
			for b.Loop() {
				if _, err := io.ReadFull(body, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// repeated is an endless body of one event.
type repeated struct {
	frame []byte
	at    int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.frame[r.at:])
	r.at = (r.at + n) % len(r.frame)
	return n, nil
}

func (r *repeated) Close() error { return nil }

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
