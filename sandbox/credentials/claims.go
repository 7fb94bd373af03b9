package credentials

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// claims are the claims of a token whose signature is not verified. They can only be a reason to
// replace the token.
type claims struct {
	Expires   float64 `json:"exp"` // seconds since 1970
	NotBefore float64 `json:"nbf"`
}

// readClaims decodes the payload of a signed token (RFC 7519, section 3; RFC 7515, section 3.1).
// Its errors contain no part of the token.
func readClaims(token string) (claims, error) {
	var c claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 || strings.ContainsAny(token, "\r\n") { // The decoder ignores line breaks, but they are invalid in an HTTP header.
		return c, errors.New("not a signed token")
	}
	var decoded [3][]byte
	for n, part := range parts {
		var err error
		// Decode the unused parts too: a token with invalid base64 is useless.
		if decoded[n], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return c, errors.New("token is not base64")
		}
	}
	if err := json.Unmarshal(decoded[1], &c); err != nil {
		return c, errors.New("claims are not valid JSON")
	}
	return c, nil
}

// inTime returns an error if the token is not valid yet or must be renewed.
func (c claims) inTime(now time.Time) error {
	start, end := instant(c.NotBefore), instant(c.Expires)
	switch {
	case now.Before(start):
		return fmt.Errorf("not valid before %s", start.Format(time.RFC3339))
	case end.Sub(now) < tokenRenewal:
		return fmt.Errorf("valid until %s", end.Format(time.RFC3339))
	}
	return nil
}

func instant(seconds float64) time.Time { return time.Unix(int64(seconds), 0).UTC() }
