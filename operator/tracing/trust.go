package tracing

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"sync"
)

// tokenFile is where a pod finds the token of its service account.
const tokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token" //nolint:gosec // a path, not a credential

// ownServiceAccount gives the user name of the service account that this process runs as. The token is
// the only place that names it without a request to the API server. Outside a pod there is none. A process
// keeps its account, so the file is read once.
var ownServiceAccount = sync.OnceValue(func() map[string]bool {
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		return nil
	}
	if sub := tokenSubject(string(token)); sub != "" {
		return map[string]bool{sub: true}
	}
	return nil
})

// tokenSubject reads the claim "sub" of a JWT without verifying it: the token is the process's own.
func tokenSubject(token string) string {
	parts := strings.Split(strings.TrimSpace(token), ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Sub string `json:"sub"`
	}
	if json.Unmarshal(payload, &claims) != nil || !strings.HasPrefix(claims.Sub, "system:serviceaccount:") {
		return ""
	}
	return claims.Sub
}
