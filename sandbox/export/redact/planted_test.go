package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// plant is a text with a secret; none of gone may remain.
type plant struct {
	name, text string
	gone       []string
}

// settings are lines with a secret that is only known by its place. %s is the secret.
var settings = map[string]string{
	"underscore": "DB_PASSWORD=%s", "env": "GITHUB_TOKEN=%s go", "export": "export API_KEY=%s", "camel": "  dbPassword: %s",
	"query": "GET /login?access_token=%s&x=1 200", "ini": "aws_secret_access_key = %s", "secret=": "secret=%s", "pass=": "conn pass=%s ok",
	"pwd=": "pwd=%s", "passphrase": "passphrase: %s", "private_key": "private_key: %s", "cookie": "Cookie: session=%s; theme=dark",
	"set-cookie": "< Set-Cookie: sid=%s; HttpOnly", "bearer": "Authorization: Bearer %s", "scheme": "authorization: Custom %s",
	"header JSON": `{"Authorization":["Token %s"]}`, "header map": "map[Authorization:[Bearer %s] Accept:[*/*]]", "api key header": "X-Api-Key: %s",
	"user in address": "clone https://%s@git.example.com/x", "password in address": "dial postgres://app:%s@db:5432/x?sslmode=off",
	"password without scheme": "dsn app:%s@tcp(db:3306)/x", "args JSON": `args: ["--password", "%s"]`, "args JSON, lines": "\"--password\",\n   \"%s\"",
	"args YAML": "args:\n- --password\n- %s\n- --v=2", "args": "run --password %s --v=2", "args =": "run --db-password=%s --v=2", "args Go": "[--token %s --v=2]",
	"JSON": `{"level":"info","clientSecret":"%s","n":1}`, "JSON in JSON": `{"msg":"{\"password\":\"%s\",\"n\":1}"}`, "JSON in JSON in JSON": `{"m":"{\"k\":\"{\\\"apiToken\\\":\\\"%s\\\"}\"}"}`,
	"Go map": "map[password:%s user:me]", "Go struct": "EnvVar{Name:DB_PASSWORD,Value:%s,ValueFrom:nil}", "attribute": `{"key":"db.password","value":{"stringValue":"%s"}}`,
	"attribute, lines": "{\n \"key\": \"http.request.header.authorization\",\n \"value\": {\n  \"stringValue\": \"%s\"\n }\n}", "variable": `{"name":"API_TOKEN","value":"%s"}`,
	"variable YAML": "- name: API_TOKEN\n  value: %s", "variable in JSON": `{"m":"{\"name\":\"API_TOKEN\",\"value\":\"%s\"}"}`,
	"YAML block": "password: |\n  %s\n  more\nnext: 1", "klog": `"failed" err="bad" password="%s" n=1`, "logfmt": "level=info session_token=%s", "kebab": "client-secret: %s",
	"colon": "login with password:%s failed", "AccountKey": "Endpoint=x;AccountKey=%s;y=1", "YAML list": "- secretKey: %s", "python": "{'auth_token': '%s'}", "walrus": `token := "%s"`,
	"dockerconfig": `{"auths":{"r.example.com":{"auth":"%s"}}}`, "npmrc": "//registry/:_authToken=%s", "netrc": "PGPASSWORD=%s psql", "hook": "webhook_key: %s", "arrow": "'password' => '%s'",
	"SQL": "CREATE USER a IDENTIFIED BY '%s';", "SQL with a plugin": "alter user a identified with sha256_password by '%s'", "PostgreSQL": "ALTER ROLE a WITH PASSWORD '%s' LOGIN",
	"requirepass": "CONFIG SET requirepass %s", "masterauth": "masterauth %s", "sentinel": "sentinel auth-pass mymaster %s", "machine": "machine h login me password %s",
	"XML": "<db><adminPassword>%s</adminPassword></db>", "XML with an attribute": `<token type="a">%s</token>`, "XML setting": `<add key="ApiToken" value="%s"/>`,
	"signed address": "GET https://b.example.com/x?X-Amz-Signature=%s&X-Amz-Date=1", "digest": `Authorization: Digest username="me", response="%s", qop=auth`,
	"user": "--user=me:%s -v", "proxy": "--proxy-user me:%s", "PAT": "export GIT_PAT=%s", "PSK": "psk=%s", "TOTP": "totp: %s", "HMAC": "hmac: %s", "LDAP": "bindpw: %s", "Java": "storepass=%s", "CSRF": "csrf=%s",
}

// sentences are lines with a secret of at least eight characters.
var sentences = []string{"the API key: %s", "Private Key = %s", "Unlock key 1: %s", `{"access key":"%s"}`}

// guessable are values for settings: random, words, with symbols, short, in base64.
var guessable = []string{"Zq7xW2pLmN9", "hunter", "s3cr", "p#ss-w0rd", "cGxhbnRlZCBzZWNyZXQ"}

// spaced are lines with a quoted secret, which contains blanks.
var spaced = map[string]string{
	"JSON": `{"password":"%s"}`, "YAML": `password: "%s"`, "single": `password: '%s'`, "env": `export DB_PASSWORD="%s"`, "arg": `--password "%s"`, "args": `["--password","%s"]`,
	"escaped": `{"m":"password=\"%s\" x"}`, "attribute": `{"key":"password","value":{"stringValue":"%s"}}`,
}

// secretValue is the value of a Secret. It needs escapes in JSON and in addresses.
const secretValue = "T0p\"S3cret&<plänt>/9+x \\end"

// knownValues are values of Secrets.
var knownValues = []string{secretValue, "planted-secret-number-two", "multi\nline secret\nvalue", "0123456789abcdef", "hunter2", "pa55"}

func encodings(v string) map[string]string {
	j, _ := json.Marshal(v)
	jj, _ := json.Marshal(string(j))
	b := base64.StdEncoding.EncodeToString
	m := map[string]string{
		"plain": v, "JSON": string(j), "JSON in JSON": string(jj), "Go": strconv.Quote(v), "ASCII": strconv.QuoteToASCII(v), "base64": b([]byte(v)),
		"base64 raw": base64.RawStdEncoding.EncodeToString([]byte(v)), "base64 URL": base64.URLEncoding.EncodeToString([]byte(v)), "base64 raw URL": base64.RawURLEncoding.EncodeToString([]byte(v)),
		"query": url.QueryEscape(v), "path": url.PathEscape(v), "component": strings.ReplaceAll(url.QueryEscape(v), "+", "%20"), "hex": hex.EncodeToString([]byte(v)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(v))),
		"HTML": html.EscapeString(v), "bytes": fmt.Sprint([]byte(v)), "base64 in query": url.QueryEscape(b([]byte(v))),
		"base64 of base64": b([]byte(b([]byte(v)))),
	}
	if len(v) < short {
		return m
	}
	for i := range 3 {
		before := strings.Repeat("x", i)
		m[fmt.Sprint("base64 at ", i)] = b([]byte(before + v + " after"))
		m[fmt.Sprint("base64 of base64 at ", i)] = b([]byte(before + b([]byte("ab"+before+v+" after"))))
		m[fmt.Sprint("base64 URL at ", i)] = base64.RawURLEncoding.EncodeToString([]byte(before + v + "!"))
	}
	for _, n := range []int{3, 7} {
		for _, end := range []string{"\n", "\r\n", "\n    ", `\n`, "\\\n  "} {
			m[fmt.Sprintf("every %d %q", n, end)] = strings.Join(chunks(v, n), end)
		}
	}
	long := b([]byte(strings.Repeat("before ", 12) + v + strings.Repeat(" after", 12)))
	m["MIME"] = strings.Join(chunks(long, 76), "\n")
	m["MIME in JSON"] = strings.Join(chunks(long, 76), `\n`)
	return m
}

func chunks(s string, n int) (all []string) {
	for len(s) > n {
		all, s = append(all, s[:n]), s[n:]
	}
	return append(all, s)
}

func plants() (all []plant) {
	for name, line := range settings {
		for i, secret := range guessable {
			all = append(all, plant{fmt.Sprintf("%s, value %d", name, i), "before\n" + fmt.Sprintf(line, secret) + "\nafter 1\n", []string{secret}})
		}
	}
	for _, line := range sentences {
		all = append(all, plant{line, fmt.Sprintf(line, guessable[0]), guessable[:1]})
	}
	for name, line := range spaced {
		all = append(all, plant{name + " with blanks", fmt.Sprintf(line, "correct horse, battery"), []string{"correct", "horse", "battery"}})
	}
	for i, value := range knownValues {
		for name, text := range encodings(value) {
			gone := []string{text, value}
			if parts := chunks(value, 7); strings.HasPrefix(name, "every") {
				gone = append(gone, parts[:1]...)
			}
			all = append(all, plant{fmt.Sprintf("value %d: %s", i, name), "log: got <" + text + "> from it\n", gone})
		}
	}
	all = append(all, plant{"unquoted, with blanks", "a: b\n  password: correct horse, battery\n", []string{"correct", "horse", "battery"}})
	return append(all, formed()...)
}

// formed are secrets that are known by their form. They are put together here, so that scanners do
// not find them in this file.
func formed() (all []plant) {
	body := strings.Repeat("MHcCAQEEIBkgQ29ycmVjdEhvcnNl", 6)
	for _, kind := range []string{"RSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "PGP PRIVATE KEY BLOCK", "PGP MESSAGE"} {
		block := "-----BEGIN " + kind + "-----\n" + strings.Join(chunks(body, 64), "\n") + "\n-----END " + kind + "-----\n"
		inString, _ := json.Marshal(block)
		all = append(all, plant{kind, "a\n" + block + "b\n", chunks(body, 64)[:2]}, plant{kind + " in JSON", string(inString), []string{body[:60]}})
		if kind == "PGP MESSAGE" {
			continue
		}
		for i := range 3 {
			encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", i) + block))
			all = append(all, plant{fmt.Sprint(kind, " in base64 at ", i), "v: " + encoded + "\n", []string{encoded[40:80], encoded[len(encoded)-40 : len(encoded)-8]}})
		}
	}
	const alphabet = "aZ3kQ9xW7mP2vB8nL4tR6yC1dF5gH0jSuEoIiUwXzKq"
	for name, token := range map[string]string{
		"GitHub": "ghp_" + alphabet[:36], "GitHub fine": "github_pat_" + strings.Repeat(alphabet, 2)[:82], "GitLab": "glpat-" + alphabet[:20], "Slack": "xoxb-" + "123456789012-123456789012-" + alphabet[:24],
		"AWS": "AKIA" + "QYLPMN5HFIQR7XYA", "npm": "npm_" + strings.ToLower(alphabet[:36]), "Stripe": "sk_live_" + alphabet[:24], "SendGrid": "SG." + strings.ToLower(strings.Repeat(alphabet, 2)[:66]),
		"DigitalOcean": "dop_v1_" + strings.Repeat("3fa94b07", 8), "Vault": "hvs." + strings.Repeat(alphabet, 3)[:100], "age": "AGE-SECRET-KEY-1" + "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7LQPZRY9X8GF2TVDW0S3JN54KHCE"[:58],
		"Google": "AIza" + alphabet[:35], "Grafana": "glsa_" + alphabet[:32] + "_a1b2c3d4", "PyPI": "pypi-AgEIcHlwaS5vcmc" + strings.Repeat(alphabet, 2)[:60],
		"JWT": "eyJhbGciOiJSUzI1NiJ9" + ".eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl",
	} {
		all = append(all, plant{name + " token", "using " + token + " now\n", []string{token}}, plant{name + " token in JSON", `{"m":"using ` + token + `"}`, []string{token}})
	}
	auth := base64.StdEncoding.EncodeToString([]byte(`{"auths":{"r":{"auth":"` + base64.StdEncoding.EncodeToString([]byte("me:tigers-and-lions")) + `"}}}`))
	return append(all, plant{"dockerconfigjson in base64", "x: " + auth, []string{auth[len(auth)-30:]}})
}

func knownSecrets() []Known {
	var known []Known
	for _, v := range knownValues {
		known = append(known, Known{Name: "password", Value: v, Sure: true})
	}
	return known
}

func leaks(t *testing.T, name, got string, gone []string) {
	t.Helper()
	for _, secret := range gone {
		if strings.Contains(got, secret) {
			t.Errorf("%s: %q remains in %q", name, secret, got)
		}
	}
}

// places are the kinds of files of an export, each with a text between other lines.
var places = map[string]func(string) string{
	"logs/operator.log": func(s string) string { return "I0101 start\n" + s + "\nI0101 end\n" },
	"events.txt": func(s string) string {
		return "2026-11-30T05:18:19Z Warning Pod default/x: Failed: " + s + " (1 times)\n"
	},
	"node/inspect.txt":     func(s string) string { return "Id: 1\n" + s },
	"kind-logs/node/x.log": func(s string) string { return strings.Repeat("line\n", 1000) + s },
	"traces/sample.json":   asJSON,
	"objects/configmap.yaml": func(s string) string {
		text, _ := yaml.Marshal(map[string]any{"data": map[string]any{"file": s}})
		return string(text)
	},
}

// asJSON is a trace whose span has s as an event.
func asJSON(s string) string {
	text, _ := json.Marshal(map[string]any{"spans": []any{map[string]any{"name": "x", "events": []any{map[string]any{"name": s}}}}})
	return string(text)
}

func TestNoPlantedSecretSurvives(t *testing.T) {
	t.Parallel()
	all := plants()
	const fewest = 200
	if len(all) < fewest {
		t.Fatalf("got %d planted secrets, want at least %d", len(all), fewest)
	}
	redact := New(knownSecrets())
	for _, p := range all {
		got := redact.Hide([]byte(p.text))
		leaks(t, p.name, string(got), p.gone)
		if again := redact.Hide(got); !bytes.Equal(again, got) {
			t.Errorf("%s: hidden again: %q, want %q", p.name, again, got)
		}
	}
	for file, place := range places {
		for _, p := range all {
			leaks(t, file+": "+p.name, string(redact.Hide([]byte(place(p.text)))), p.gone)
		}
	}
	t.Logf("%d secrets in %d files", len(all), len(all)*len(places))
}

func TestJSON(t *testing.T) {
	t.Parallel()
	record, hidden := JSON([]byte(`{"spec":{"name":"operator","args":["--kubeconfig=/a/b","--key","planted-00"],"env":["X=planted-01","GOMAXPROCS=2"]},"pid":1234567890123}`), true)
	if strings.Contains(string(record), "planted") || len(hidden) != 2 || !strings.Contains(string(record), "--kubeconfig=/a/b") || !strings.Contains(string(record), "1234567890123") {
		t.Errorf("JSON = %s, %v", record, hidden)
	}
}

// Secrets contain other secrets, for example the password of a dockerconfigjson.
func TestDerivedSecrets(t *testing.T) {
	t.Parallel()
	auth := base64.StdEncoding.EncodeToString([]byte("me:tigers-and-lions"))
	redact := New([]Known{
		{Name: ".dockerconfigjson", Value: `{"auths":{"r":{"auth":"` + auth + `"}}}`, Sure: true},
		{Name: "uri", Value: "postgres://app:lions%21roar@db/x", Sure: true},
		{Name: "app.env", Value: "MODE=fast\nAPI_TOKEN=\"oh-my-goodness\"\n", Sure: true},
		{Name: "OTEL_EXPORTER_OTLP_HEADERS", Value: "x=1,authorization=Bearer%20squeamish-ossifrage", Sure: true},
		{Name: "config", Value: `{"db":{"password":"wicked"}}`, Sure: true},
	})
	for _, secret := range []string{auth, "tigers-and-lions", "lions%21roar", "lions!roar", "oh-my-goodness", "wicked", "squeamish-ossifrage"} {
		for name, text := range encodings(secret) {
			leaks(t, name, string(redact.Hide([]byte("it is ("+text+")"))), []string{secret, text})
		}
	}
}

func FuzzHide(f *testing.F) {
	for _, p := range plants()[:100] {
		f.Add(p.text, "after", uint8(1))
	}
	redact := New(knownSecrets())
	f.Fuzz(func(t *testing.T, before, after string, which uint8) {
		value := knownValues[int(which)%len(knownValues)]
		text := before + " " + value + " " + after
		got := redact.Hide([]byte(text))
		if bytes.Contains(got, []byte(value)) {
			t.Errorf("Hide(%q) = %q, want no %q", text, got, value)
		}
		if again := redact.Hide(got); !bytes.Equal(again, got) {
			t.Errorf("Hide(%q) = %q, want it unchanged; first text %q", got, again, text)
		}
	})
}
