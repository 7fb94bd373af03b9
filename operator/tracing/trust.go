package tracing

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"sync"
)

// tokenFile holds the token of the service account in a pod.
const tokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token" //nolint:gosec // a path, not a credential

// ownServiceAccount returns a set with the user name of the pod's service account. It reads the
// name from the token, which is the only source that needs no request to the API server. The set is
// nil outside a pod. The file is read once, because a pod's account does not change. The caller
// must not change the set.
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

// tokenSubject returns the claim "sub" of a service account's JWT, or "". It does not verify the
// token, which the process reads from its own file.
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
