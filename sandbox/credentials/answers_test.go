package credentials

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// answers is a faulty API server that answers with the given status codes.
type answers struct {
	account, review, request int
	user                     authenticationv1.UserInfo // the user in the review
	token                    string
	requests                 atomic.Int32 // of tokens
	asked                    atomic.Int32
	// end, if not nil, is called when the client repeats a request after one of each kind.
	end func()
}

func (a *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const enough = 4 // account, token, review, review
	if a.asked.Add(1) == enough && a.end != nil {
		a.end()
	}
	code, body := a.account, any(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "a", UID: "u"}})
	switch {
	case strings.HasSuffix(r.URL.Path, "/token"):
		a.requests.Add(1)
		code, body = a.request, &authenticationv1.TokenRequest{Status: authenticationv1.TokenRequestStatus{Token: a.token}}
	case strings.HasSuffix(r.URL.Path, "/selfsubjectreviews"):
		code, body = a.review, &authenticationv1.SelfSubjectReview{Status: authenticationv1.SelfSubjectReviewStatus{UserInfo: a.user}}
	}
	if code != http.StatusOK {
		body = &metav1.Status{Status: metav1.StatusFailure, Code: int32(code), Message: "answer", Reason: map[int]metav1.StatusReason{
			http.StatusNotFound: metav1.StatusReasonNotFound, http.StatusForbidden: metav1.StatusReasonForbidden,
			http.StatusUnauthorized: metav1.StatusReasonUnauthorized, http.StatusInternalServerError: metav1.StatusReasonInternalError,
		}[code]}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}

// If the API server is faulty, Token writes nothing, and its error never contains the token.
func TestTokenFromAFaultyServer(t *testing.T) {
	const ok = http.StatusOK
	tests := map[string]struct {
		answers *answers
		held    bool // the file contains a token with valid claims
		want    string
		is      func(error) bool
		ends    bool // Token retries until its context is cancelled
	}{
		"account forbidden": {
			answers: &answers{account: http.StatusForbidden},
			want:    "waiting for ServiceAccount n/a", is: apierrors.IsForbidden,
		},
		"no account": {
			answers: &answers{account: http.StatusNotFound},
			want:    "waiting for ServiceAccount n/a", ends: true, is: func(err error) bool {
				return errors.Is(err, context.Canceled) && apierrors.IsNotFound(err)
			},
		},
		"review fails": {
			answers: &answers{account: ok, review: http.StatusInternalServerError}, held: true,
			want: "checking the token of ServiceAccount n/a", is: apierrors.IsInternalError,
		},
		"request forbidden": {
			answers: &answers{account: ok, review: http.StatusUnauthorized, request: http.StatusForbidden}, held: true,
			want: "requesting a token of ServiceAccount n/a", is: apierrors.IsForbidden,
		},
		"new token rejected": {
			answers: &answers{account: ok, review: http.StatusUnauthorized, request: ok},
			want:    "requesting a token of ServiceAccount n/a", ends: true, is: func(err error) bool {
				return errors.Is(err, context.Canceled) && errors.Is(err, errRejected)
			},
		},
		"new token has no user": {
			answers: &answers{account: ok, review: ok, request: ok},
			want:    `got user "" with UID "", want "system:serviceaccount:n:a" with UID "u"`,
			ends:    true, is: func(err error) bool { return errors.Is(err, errRejected) },
		},
		"new token is another account's": {
			answers: &answers{account: ok, review: ok, request: ok, user: authenticationv1.UserInfo{Username: "system:serviceaccount:n:b", UID: "u"}},
			want:    `got user "system:serviceaccount:n:b"`,
			ends:    true, is: func(err error) bool { return errors.Is(err, errRejected) },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.answers.token = lasting(time.Now(), time.Now().Add(tokenLife))
			server := httptest.NewServer(test.answers)
			t.Cleanup(server.Close)
			issuer, err := NewIssuer(&rest.Config{Host: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "token")
			if test.held {
				writeFile(t, path, []byte(test.answers.token))
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if test.ends {
				test.answers.end = cancel
			}
			changed, err := issuer.Token(ctx, path, "n", "a")
			if changed || err == nil || !strings.Contains(err.Error(), test.want) || !test.is(err) {
				t.Errorf("Token = %t, %v; want false and an error with %q", changed, err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), test.answers.token) {
				t.Error("the error contains the token")
			}
			if data, err := os.ReadFile(path); (err == nil) != test.held || (test.held && string(data) != test.answers.token) {
				t.Errorf("file = %q, %v; want it unchanged", data, err)
			}
			if test.answers.request == 0 && test.answers.requests.Load() != 0 {
				t.Error("Token requested a token, want no request")
			}
		})
	}
}

func TestNewIssuerWithAnInvalidHost(t *testing.T) {
	if _, err := NewIssuer(&rest.Config{Host: "://"}); err == nil {
		t.Error("NewIssuer = nil, want an error")
	}
}
