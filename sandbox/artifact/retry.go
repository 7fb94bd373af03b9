package artifact

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"
)

// Limits for a registry that answers 429 Too Many Requests: maxWait for one retry, maxTotalWait for
// all retries of a request. firstWait, which doubles, applies if the registry does not say how long
// to wait.
const (
	maxWait      = 30 * time.Second
	maxTotalWait = time.Minute
	firstWait    = time.Second
)

// retryTransport retries requests that a registry refused because there were too many, after the
// time that the registry asks for. It returns an error for HTML pages, which proxies send in place
// of a registry's response.
//
// hashicorp/go-retryablehttp does not replace it: its RoundTripper follows redirects, it has no
// limit for the total wait and no clock for tests, and its CheckRetry does not know how long it
// waited, so that configuring it takes as many lines as this loop.
type retryTransport struct {
	base   http.RoundTripper
	report Report
	wait   func(*http.Request, time.Duration) error // tests do not wait
}

// RoundTrip implements http.RoundTripper. It does not retry requests with a body; pulls have none.
func (t retryTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	backoff, waited := firstWait, time.Duration(0)
	for {
		response, err := t.base.RoundTrip(request)
		if err != nil {
			return nil, err
		}
		if isHTML(response) {
			discard(response)
			return nil, &htmlError{response.Status}
		}
		if response.StatusCode != http.StatusTooManyRequests || request.Body != nil && request.Body != http.NoBody {
			return response, nil
		}
		discard(response)
		pause, asked := retryAfter(response.Header, time.Now())
		if !asked {
			pause, backoff = backoff, 2*backoff
		}
		if pause > maxWait || waited+pause > maxTotalWait {
			return nil, &rateLimitError{status: response.Status, after: pause, asked: asked}
		}
		t.report.Say("rate limited by %s; retrying in %s", request.URL.Host, pause.Round(time.Second))
		if err := t.wait(request, pause); err != nil {
			return nil, err
		}
		waited += pause
	}
}

func pause(request *http.Request, duration time.Duration) error {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-request.Context().Done():
		return request.Context().Err()
	case <-timer.C:
		return nil
	}
}

// retryAfter parses the Retry-After header: a number of seconds or a date.
func retryAfter(header http.Header, now time.Time) (wait time.Duration, asked bool) {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, date.Sub(now)), true
	}
	return 0, false
}

// discard closes a response's body so that its connection can be reused.
func discard(response *http.Response) {
	_, _ = io.CopyN(io.Discard, response.Body, 4<<10)
	_ = response.Body.Close() // It was only read.
}

// rateLimitError is returned if a registry asks to wait longer than the limits allow.
type rateLimitError struct {
	status string
	after  time.Duration
	asked  bool // the registry said how long
}

func (e *rateLimitError) Error() string {
	if e.asked {
		return fmt.Sprintf("rate limited (%s); retry after %s", e.status, e.after.Round(time.Second))
	}
	return fmt.Sprintf("rate limited (%s)", e.status)
}

// htmlError is returned if the response is not a registry's.
type htmlError struct{ status string }

func (e *htmlError) Error() string {
	return fmt.Sprintf("got an HTML page (%s) instead of a registry response", e.status)
}

// isHTML reports whether a response is an HTML page and says nothing else: the status of redirects,
// of rate limits and of server errors says more.
func isHTML(response *http.Response) bool {
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	status := response.StatusCode
	serverError := status >= 500 && status != http.StatusNetworkAuthenticationRequired
	redirect := status >= 300 && status < 400
	return kind == "text/html" && status != http.StatusTooManyRequests && !serverError && !redirect
}
