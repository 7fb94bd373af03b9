package tracing

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
)

const (
	// maxAdmission limits how long one request of a user takes. The API server cancels it after 34
	// s.
	maxAdmission = time.Minute
	// maxSeen limits the admissions that are remembered.
	maxSeen = 1024
)

// seenAdmission identifies a context together with the admission in which a webhook saw it. It is a
// hash, because names have no limit before validation.
type seenAdmission [sha256.Size]byte

// seenAs returns the key of a context in this admission. All webhooks of one admission compute the
// same key, in whichever API version they receive the object. The same context has another key for
// another user or object and, with a real API server, for a later request about the same object.
func (a *admissionRun) seenAs(sc trace.SpanContext) seenAdmission {
	tid, sid := sc.TraceID(), sc.SpanID()
	return sha256.Sum256(fmt.Appendf(nil, "%s %s %s", tid, sid, a.identity))
}

// setIdentity sets the identity of the admission. It must run before the inner webhook, which may
// change the object. The request's UID cannot identify it: the API server generates a UID for each
// call of a webhook.
func (a *admissionRun) setIdentity() {
	var uid, version string
	if a.before != nil {
		uid, version = string(a.before.GetUID()), a.before.GetResourceVersion()
	}
	a.identity = fmt.Sprintf("%q %q %q %q %q %q %q %d", a.req.UserInfo.Username, a.req.Kind.Kind, a.req.Namespace,
		a.obj.GetName(), a.obj.GetGenerateName(), uid, version, lastManaged(a.obj.GetManagedFields()))
}

// seenAdmissions remembers the newest maxSeen admissions for maxAdmission. It is safe for
// concurrent use.
type seenAdmissions struct {
	mu   sync.Mutex
	at   map[seenAdmission]time.Time
	ring [maxSeen]seenAdmission
	next int
}

// seen is shared by all webhooks of the process, whichever options they have.
var seen seenAdmissions

func (s *seenAdmissions) add(key seenAdmission, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at == nil {
		s.at = make(map[seenAdmission]time.Time, maxSeen)
	}
	if _, known := s.at[key]; !known {
		delete(s.at, s.ring[s.next])
		s.ring[s.next] = key
		s.next = (s.next + 1) % maxSeen
	}
	s.at[key] = now
}

func (s *seenAdmissions) has(key seenAdmission, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.at[key]
	return ok && now.Sub(at) < maxAdmission
}
