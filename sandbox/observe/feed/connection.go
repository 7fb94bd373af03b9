package feed

import (
	"net/http"
	"time"
)

// readClock sets the start to the API server's time, which objects have as creationTimestamp.
func (r *run) readClock(next http.RoundTripper) http.RoundTripper {
	return transport(func(request *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(request)
		if err == nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			if date, err := http.ParseTime(response.Header.Get("Date")); err == nil && r.began.IsZero() {
				r.began = date
			}
		}
		return response, err
	})
}

type transport func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (t transport) RoundTrip(request *http.Request) (*http.Response, error) { return t(request) }

// isCut reports whether some watches do not reach the API server. Causes are not decided then: watches
// that are open again can deliver writes whose causes the others have not delivered.
func (r *run) isCut() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, since := range r.cut {
		if time.Since(since) < maxCut {
			return true
		}
	}
	return false
}

// reached records whether the API server answered a request for a resource.
func (r *run) reached(t target, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, is := r.cut[t]; ok {
		delete(r.cut, t)
	} else if !is {
		r.cut[t] = time.Now()
	}
}
