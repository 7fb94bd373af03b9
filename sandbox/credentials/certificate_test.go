package credentials

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/pki"
)

// loadPair accepts a certificate only if it belongs to the client, matches its key, and has half of
// its validity left.
func TestLoadPair(t *testing.T) {
	client := TracedAccount("ns", "account")
	if want := "system:serviceaccount:ns:account"; client.User != want || !slices.Contains(client.Groups, TracingGroup) {
		t.Errorf("TracedAccount = %+v, want user %s in %s", client, want, TracingGroup)
	}
	store := pki.Store{Dir: filepath.Join(t.TempDir(), "pki")}
	authority, _, err := store.Authority("ca")
	if err != nil {
		t.Fatal(err)
	}
	pair := func(name string) *pki.Pair {
		made, _, err := authority.Certificate(pki.Request{Name: name, CommonName: client.User, Organizations: client.Groups, Client: true})
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	own, other := pair("own"), pair("other")
	mixed := pki.Pair{CertFile: store.Dir + "/mixed.crt", KeyFile: store.Dir + "/mixed.key", Certificate: own.Certificate, Key: other.Key}
	if err := mixed.Write(private); err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(365 * 24 * time.Hour)
	for name, test := range map[string]struct {
		name   string
		client Client
		now    time.Time
		ok     bool
	}{
		"valid":           {"own", client, time.Now(), true},
		"expires soon":    {"own", client, end.Add(time.Minute - certificateRenewal), false},
		"over":            {"own", client, end.Add(time.Hour), false},
		"not yet":         {"own", client, time.Now().Add(-time.Hour), false},
		"another user's":  {"own", Client{User: "x", Groups: client.Groups}, time.Now(), false},
		"in other groups": {"own", Client{User: client.User, Groups: client.Groups[1:]}, time.Now(), false},
		"another key":     {"mixed", client, time.Now(), false},
		"none":            {"none", client, time.Now(), false},
	} {
		t.Run(name, func(t *testing.T) {
			issuer := &Issuer{Now: func() time.Time { return test.now }}
			if _, err := issuer.loadPair(filepath.Join(store.Dir, test.name), test.client); (err == nil) != test.ok {
				t.Errorf("loadPair = %v, want success: %t", err, test.ok)
			}
		})
	}
}
