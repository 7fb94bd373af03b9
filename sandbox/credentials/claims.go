package credentials

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// claims are what a token says of itself. Nobody has checked its signature: they may cost a token its place, but never earn it one.
type claims struct {
	Expires   float64 `json:"exp"` // seconds since 1970
	NotBefore float64 `json:"nbf"`
}

// readClaims reads the middle of a signed token's three parts (RFC 7519, section 3; RFC 7515, section 3.1). Its errors say
// nothing of the token.
func readClaims(token string) (claims, error) {
	var c claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 || strings.ContainsAny(token, "\r\n") { // The decoder ignores line ends, a header of HTTP does not.
		return c, errors.New("not a signed token")
	}
	var decoded [3][]byte
	for n, part := range parts {
		var err error
		// The parts that nobody reads here too: what isn't base64 could not even be sent.
		if decoded[n], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return c, errors.New("a token that is not base64")
		}
	}
	if err := json.Unmarshal(decoded[1], &c); err != nil {
		return c, errors.New("claims that are not JSON")
	}
	return c, nil
}

// inTime says why a token of these claims should be replaced, whatever the API server makes of it: nil if there is no reason.
func (c claims) inTime(now time.Time) error {
	begin, end := instant(c.NotBefore), instant(c.Expires)
	switch {
	case now.Before(begin):
		return fmt.Errorf("not valid before %s", begin.Format(time.RFC3339))
	case end.Sub(now) < tokenRenewal:
		return fmt.Errorf("valid until %s", end.Format(time.RFC3339))
	}
	return nil
}

func instant(seconds float64) time.Time { return time.Unix(int64(seconds), 0).UTC() }
