package credentials

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/pki"
)

// A certificate is used again only where it is that client's, has its key, and half of its week is left.
func TestLoadPair(t *testing.T) {
	client := TracedAccount("ns", "account")
	if want := "system:serviceaccount:ns:account"; client.User != want || !slices.Contains(client.Groups, TracingGroup) {
		t.Errorf("the client is %+v, want user %s in %s", client, want, TracingGroup)
	}
	store := pki.Store{Dir: filepath.Join(t.TempDir(), "pki")}
	authority, _, err := store.Authority("ca")
	if err != nil {
		t.Fatal(err)
	}
	pair := func(name string) ClientPair {
		made, _, err := authority.Certificate(pki.Request{Name: name, CommonName: client.User, Organizations: client.Groups, Client: true})
		if err != nil {
			t.Fatal(err)
		}
		return ClientPair{CertFile: made.CertFile, KeyFile: made.KeyFile}
	}
	own, other := pair("own"), pair("other")
	end := time.Now().Add(365 * 24 * time.Hour)
	for name, test := range map[string]struct {
		pair   ClientPair
		client Client
		now    time.Time
		ok     bool
	}{
		"as it should be":   {own, client, time.Now(), true},
		"most of it over":   {own, client, end.Add(time.Minute - certificateRenewal), false},
		"over":              {own, client, end.Add(time.Hour), false},
		"not yet":           {own, client, time.Now().Add(-time.Hour), false},
		"another user's":    {own, Client{User: "x", Groups: client.Groups}, time.Now(), false},
		"in other groups":   {own, Client{User: client.User, Groups: client.Groups[1:]}, time.Now(), false},
		"another one's key": {ClientPair{CertFile: own.CertFile, KeyFile: other.KeyFile}, client, time.Now(), false},
		"none":              {ClientPair{CertFile: own.CertFile + "x", KeyFile: own.KeyFile}, client, time.Now(), false},
	} {
		t.Run(name, func(t *testing.T) {
			issuer := &Issuer{Now: func() time.Time { return test.now }}
			if _, _, _, err := issuer.loadPair(test.pair, test.client); (err == nil) != test.ok {
				t.Errorf("loading it: %v, want success %t", err, test.ok)
			}
		})
	}
}
