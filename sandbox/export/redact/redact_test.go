package redact

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// start and end are split so that secret scanners do not find a key in this file.
const (
	start = "-----BEGIN EC PRIVATE" + " KEY-----"
	end   = "-----END EC PRIVATE" + " KEY-----"
)

func TestHideSecretsByForm(t *testing.T) {
	t.Parallel()
	key := start + "\nMHcCAQEEIBkg\nabc=\n" + end
	asString, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	token := "eyJhbGciOiJSUzI1NiJ9" + ".eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
	for text, want := range map[string]string{
		"before\n" + key + "\nafter": "before\n[hidden]\nafter",
		string(asString):             `"[hidden]"`,
		start + "\ncut off":          "[hidden]",
		"abc=\n" + end + "\nafter":   "[hidden]\nafter",
		"key: " + base64.StdEncoding.EncodeToString([]byte(key)): "key: [hidden]",
		"token " + token + " was refused":                        "token [hidden] was refused",
		"Authorization: Bearer abcdefgh12345678":                 "Authorization: [hidden]",
		`"Authorization":["Basic dXNlcjpwYXNz"]`:                 `"Authorization":["[hidden]"]`,
		"sent bearer abcdefgh12345678":                           "sent bearer [hidden]",
		"HTTPS_PROXY=http://me:pa55@proxy.test:80":               "HTTPS_PROXY=http://[hidden]@proxy.test:80",
		"password=hunter2222 next":                               "password=[hidden] next",
		`{"token":"abcdef123456"}`:                               `{"token":"[hidden]"}`,
		"kubeadm join --token abcdef.0123456789ab":               "kubeadm join --token [hidden]",
	} {
		if got := string((&Redactor{}).Hide([]byte(text))); got != want {
			t.Errorf("Hide(%q) = %q, want %q", text, got, want)
		}
	}
}

// An export must keep names, messages and certificates, which are public.
func TestHideKeepsPublicText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"simple token is not cryptographically signed", "basic authentication is off", "head-sample.18ab34cd56ef7890",
		"automountServiceAccountToken: false", "secretName: webhook-server-cert", "http://127.0.0.1:16686/trace/4bf92f3577b34da6a3ce929d0e0e4736",
		"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "sha256:70f532fd9cfde0b09d55687200942399d89838bc2d5d5b45152eb799a15912b8",
		"serviceAccountToken:\n  expirationSeconds: 3607", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"caBundle: " + base64.StdEncoding.EncodeToString([]byte("-----BEGIN CERTIFICATE-----\nMIIB\n")),
		"https://localhost:35901/mutate?timeout=2s", "mail to a@b.example: c", "",
	} {
		if got := string((*Redactor)(nil).Hide([]byte(text))); got != text {
			t.Errorf("Hide(%q) = %q, want it unchanged", text, got)
		}
	}
}

func TestHideKnownValues(t *testing.T) {
	t.Parallel()
	const value, longer = "correct horse", "correct horse battery"
	var known []Known
	for _, value := range []string{value, longer, "short", "", "\xff\xfe binary value"} {
		known = append(known, Known{Name: "word", Value: value, Sure: true})
	}
	redact := New(known)
	for text, want := range map[string]string{
		"a correct horse battery staple": "a [hidden] staple", "correct horse": "[hidden]", "short": "short",
		"x " + base64.StdEncoding.EncodeToString([]byte(value)) + " y":                "x [hidden] y",
		base64.RawURLEncoding.EncodeToString([]byte(value)):                           "[hidden]",
		"data: " + base64.StdEncoding.EncodeToString([]byte("\xff\xfe binary value")): "data: [hidden]",
	} {
		if got := string(redact.Hide([]byte(text))); got != want {
			t.Errorf("Hide(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestTelling(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"OTEL_EXPORTER_OTLP_HEADERS": true, "DB_PASSWORD": true, "GITHUB_TOKEN": true, "AWS_SECRET_ACCESS_KEY": true, "API_KEY": true,
		"OTEL_EXPORTER_OTLP_ENDPOINT": false, "GOMEMLIMIT": false, "HOME": false, "KEYBOARD": false,
	} {
		if got := Telling(name); got != want {
			t.Errorf("Telling(%s) = %t, want %t", name, got, want)
		}
	}
}

// The time must not grow with the square of a line: the throughput of both lengths is equal.
func BenchmarkHideOfLongLines(b *testing.B) {
	for _, part := range []string{`\"`, `'`, `"`, `"token":1,`, `token=`, "token: ", "eyJ", "----BEGIN ", "://a:", "LS0tLS1C", `\\\\n`, `{"a":"`, "password: |", "--token "} {
		for _, length := range []int{1 << 16, 1 << 19} {
			line := []byte(strings.Repeat(part, length/len(part)))
			b.Run(fmt.Sprintf("%q/%d", part, length), func(b *testing.B) {
				b.SetBytes(int64(len(line)))
				for b.Loop() {
					(&Redactor{}).Hide(line)
				}
			})
		}
	}
}
