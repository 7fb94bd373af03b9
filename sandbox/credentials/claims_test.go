package credentials

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// unsigned returns a token with an invalid signature.
func unsigned(payload string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"ES256"}`)) + "." + encode([]byte(payload)) + "." + encode([]byte("signature"))
}

func lasting(from, until time.Time) string {
	return unsigned(fmt.Sprintf(`{"nbf": %d, "exp": %d}`, from.Unix(), until.Unix()))
}

func TestClaims(t *testing.T) {
	fine := lasting(noon, noon.Add(tokenRenewal))
	tests := map[string]struct{ token, want string }{
		"fine":               {fine, ""},
		"no token":           {"", "not a signed token"},
		"garbage":            {"\x00\x01garbage", "not a signed token"},
		"half a token":       {fine[:len(fine)/2], "not a signed token"},
		"four parts":         {fine + ".x", "not a signed token"},
		"two lines":          {strings.Replace(fine, ".", "\n.", 1), "not a signed token"},
		"header not base64":  {"ä" + fine, "token is not base64"},
		"claims not base64":  {strings.Replace(fine, ".", ".*", 1), "token is not base64"},
		"tail not base64":    {fine + "=", "token is not base64"},
		"claims not JSON":    {unsigned("{"), "claims are not valid JSON"},
		"time not a number":  {unsigned(`{"exp": "tomorrow"}`), "claims are not valid JSON"},
		"no claims":          {unsigned("{}"), "valid until 1970-01-01T00:00:00Z"},
		"over":               {lasting(noon.Add(-2*time.Hour), noon.Add(-time.Hour)), "valid until 2026-03-01T11:00:00Z"},
		"under 30 days left": {lasting(noon, noon.Add(tokenRenewal-time.Second)), "valid until 2026-03-31T11:59:59Z"},
		"not valid yet":      {lasting(noon.Add(time.Hour), noon.Add(tokenLife)), "not valid before 2026-03-01T13:00:00Z"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := readClaims(test.token)
			if err == nil {
				err = c.inTime(noon)
			}
			if got := text(err); got != test.want {
				t.Errorf("error = %q, want %q", got, test.want)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
