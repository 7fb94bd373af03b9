package image

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"
)

// How long a registry that is asked too often is waited for: at most waitOnce before one request is made again, and
// waitInAll for all its repetitions; waitUnasked, and then longer, where it does not say how long.
const (
	waitOnce    = 30 * time.Second
	waitInAll   = time.Minute
	waitUnasked = time.Second
)

// courtesy makes a request again that a registry refused because there were too many, as late as the registry asks for, and
// finds out when something else answers in a registry's place.
type courtesy struct {
	base   http.RoundTripper
	report Report
	wait   func(*http.Request, time.Duration) error // waits; tests don't
}

// RoundTrip implements http.RoundTripper. Of requests with a body, which pulls have none of, only the first try is made.
func (c courtesy) RoundTrip(request *http.Request) (*http.Response, error) {
	unasked, waited := waitUnasked, time.Duration(0)
	for {
		response, err := c.base.RoundTrip(request)
		if err != nil {
			return nil, err
		}
		if page := webPage(response); page != nil {
			discard(response)
			return nil, page
		}
		if response.StatusCode != http.StatusTooManyRequests || request.Body != nil && request.Body != http.NoBody {
			return response, nil
		}
		pause, asked := retryAfter(response, time.Now())
		if !asked {
			pause, unasked = unasked, 2*unasked
		}
		if pause > waitOnce || waited+pause > waitInAll {
			return nil, discarded(response, &rateLimitError{status: response.Status, asked: pause, said: asked})
		}
		discard(response)
		c.report.say("%s asks to wait %s", request.URL.Host, pause.Round(time.Second))
		if err := c.wait(request, pause); err != nil {
			return nil, err
		}
		waited += pause
	}
}

// pause waits, unless the request is given up first.
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

// retryAfter reads the header of that name, which is a number of seconds or a date.
func retryAfter(response *http.Response, now time.Time) (wait time.Duration, said bool) {
	value := response.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, date.Sub(now)), true
	}
	return 0, false
}

func discarded(response *http.Response, err error) error {
	discard(response)
	return err
}

// discard ends a response that nobody reads, so that its connection can be used again.
func discard(response *http.Response) {
	_, _ = io.CopyN(io.Discard, response.Body, 4<<10)
	_ = response.Body.Close() // It was only read.
}

// rateLimitError says that a registry gets more requests than it wants, for longer than is waited for.
type rateLimitError struct {
	status string
	asked  time.Duration
	said   bool
}

// Error implements error.
func (e *rateLimitError) Error() string {
	if e.said {
		return fmt.Sprintf("it is asked too often (%s), and wants to be left alone for %s", e.status, e.asked.Round(time.Second))
	}
	return fmt.Sprintf("it is asked too often (%s)", e.status)
}

// webPageError says that what answers is no registry.
type webPageError struct{ status string }

// Error implements error.
func (e *webPageError) Error() string {
	return fmt.Sprintf("a web page answers (%s), not a registry: a proxy or a sign-in page is between", e.status)
}

// webPage is an error where a web page came. Of a server's own trouble, and of too many requests, the status says more.
func webPage(response *http.Response) error {
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	status := response.StatusCode
	trouble := status == http.StatusTooManyRequests || status >= 500 && status != http.StatusNetworkAuthenticationRequired
	if kind != "text/html" || trouble || status >= 300 && status < 400 { // Redirections have a page for people, too.
		return nil
	}
	return &webPageError{status: response.Status}
}
