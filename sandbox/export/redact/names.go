package redact

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// tellingParts occur in names of secrets, also inside a word, as in PGPASSWORD.
var tellingParts = []string{
	"password", "passwd", "passphrase", "passcode", "secret", "token", "credential", "apikey", "privatekey", "accesskey", "clientkeydata",
	"accountkey", "connectionstring", "authorization", "sharedaccesssignature",
}

// tellingWords are names of secrets, but only as a whole word.
var tellingWords = []string{
	"pass", "pwd", "pw", "passw", "jwt", "cookie", "cookies", "bearer", "dsn", "sessionid", "jsessionid",
	"pat", "psk", "otp", "totp", "hmac", "mnemonic", "bindpw", "rootpw", "storepass", "keypass", "csrf", "xsrf",
}

// keyOwners precede the word key in the name of a secret, as in signing_key.
var keyOwners = []string{
	"account", "age", "api", "access", "auth", "ca", "client", "deploy", "encrypt", "encryption", "gpg", "hmac", "host", "license", "master", "pgp",
	"private", "root", "rsa", "secret", "server", "service", "session", "shared", "signing", "ssh", "storage", "symmetric", "tls", "webhook",
}

// headerOwners precede the word headers in the name of a setting with headers of requests.
var headerOwners = []string{"otlp", "traces", "metrics", "logs", "jaeger", "exporter", "http", "custom", "extra", "auth", "api"}

// publicEnds end the names of settings that describe a secret, as in tokenExpirationSeconds.
var publicEnds = strings.Fields(`name names namespace namespaces ref refs reference file files path paths dir directory type types url uri host addr
	address endpoint seconds minutes ttl expiry expiration expires expired duration timeout count size length len limit max min audience audiences
	issuer mode policy policies method enabled enable disabled required algorithm version provider providers class kind field label annotation
	selector format prefix time timestamp status error errors reason controller manager lister informer review reviews request requests mount rotation
	source id uid usage bytes interval signer store resource index revision present found exists list watch sync go generator requested webhook is
	was plugin service client server handler cache reconciler group groups verb verbs changed created updated deleted missing strategy detection`)

// words splits a name into lower-case words: at separators, and at the humps of camel case.
func words(name string) []string {
	var found []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			found = append(found, strings.ToLower(string(word)))
		}
		word = word[:0]
	}
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r):
			end()
			continue
		case unicode.IsUpper(r) && i > 0 && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])):
			end()
		}
		word = append(word, r)
	}
	end()
	return found
}

// Telling reports whether the name of a setting tells that its value is secret: a password, a key, a
// token, or headers with a token. It knows names with separators and in camel case.
func Telling(name string) bool {
	parts := words(name)
	if len(parts) == 0 {
		return false
	}
	last := parts[len(parts)-1]
	glued := strings.Join(parts, "")
	if slices.Contains(publicEnds, last) && glued != "sessionid" && glued != "secretid" || strings.HasSuffix(glued, "imagepullsecrets") {
		return false
	}
	for _, part := range tellingParts {
		if strings.Contains(glued, part) {
			return true
		}
	}
	if slices.ContainsFunc(parts, func(word string) bool { return slices.Contains(tellingWords, word) }) {
		return true
	}
	switch last {
	case "auth", "sig", "id": // With id, glued is sessionid or secretid.
		return true
	case "headers":
		return len(parts) > 1 && slices.Contains(headerOwners, parts[len(parts)-2])
	case "key", "keys":
		return len(parts) > 1 && slices.Contains(keyOwners, parts[len(parts)-2])
	}
	return false
}

// namesObject reports whether the value of a setting can be the name of a Secret, as in
// secret="namespace/name".
func namesObject(name string) bool {
	parts := words(name)
	return len(parts) > 0 && parts[len(parts)-1] == "secret"
}

var (
	// harmless are values that are public even under a telling name: switches, short numbers,
	// references to variables, paths, and values that are already hidden.
	harmless = regexp.MustCompile(`^(?:(?i:true|false|null|nil|none|yes|no|on|off|unset|empty|undefined|redacted|optional|required|<[a-z -]*>)|` +
		`\*+|\d{0,3}|\d+(?:\.\d+){2}|\$\([A-Za-z_]\w*\)|\$\{[A-Za-z_]\w*\}|\{\{.*\}\}|(?:/[a-z0-9._-]+){2,}/?|\[hidden\](?:, \d+ characters)?|[{[].?|[|>][+-]?|&\w*\{?)$`)
	// plain are values that are public under a name that tells nothing.
	plain = regexp.MustCompile(`^(?:-?\d{1,6}(?:\.\d{1,3})?(?:[numkKMGTP]i?|[smhd]|ms|us|%)?|(?:\d+(?:ms|[hms]))+|v?\d+(?:\.\d+){1,3}|` +
		`[a-z][a-z+]*://[A-Za-z0-9.-]+(?::\d+)?(?:/[a-z0-9]{0,12}){0,4}|(?:[a-z0-9.-]+\.[a-z0-9.-]+|localhost|\[[0-9a-f:]*\])?:\d{1,5}|` +
		`\d{1,3}(?:\.\d{1,3}){3}(?:/\d+)?|(?:/[A-Za-z0-9._@-]+)+/?|` +
		`(?:trace|debug|info|warn|warning|error|json|text|console|always|never|auto|default|grpc|http|https|http/protobuf|otlp|jaeger|production|development))$`)
	// open are names of settings whose values an export keeps: they are needed to understand a fault.
	open = regexp.MustCompile(`(?i)^(?:OTEL_|GO(?:MEMLIMIT|MAXPROCS|GC|DEBUG|TRACEBACK)$|KUBE|POD_|NODE_|LOG|ZAP|HOME$|PATH$|TMPDIR$|TZ$|LANG$|LC_|SSL_CERT_|NO_PROXY$|v$|vmodule$)`)
)

// openEnds end the names of settings whose values an export keeps.
var openEnds = strings.Fields(`mode level image images namespace namespaces name names port host hostname address addr endpoint enabled timeout interval
	replicas region zone cluster domain format version arch profile debug verbosity dir file path class kind type limit count size service encoder
	gates elect period duration deadline qps burst cidr range`)

// shown reports whether an export keeps the value of an environment variable or of an argument.
// Unknown values of unknown variables are hidden.
func shown(name, value string) bool {
	if harmless.MatchString(value) {
		return true
	}
	if Telling(name) {
		return false
	}
	parts := words(name)
	return plain.MatchString(value) || open.MatchString(name) || len(parts) > 0 && slices.Contains(openEnds, parts[len(parts)-1])
}

// Variables returns a list of NAME=VALUE in which all values are hidden that may be secret, and the
// hidden values. The values of well-known variables, numbers, switches and addresses remain.
func Variables(list []string) ([]string, []Known) {
	var hidden []Known
	list = slices.Clone(list)
	for i, variable := range list {
		if name, value, valued := strings.Cut(variable, "="); valued && !shown(name, value) {
			list[i] = name + "=" + Hidden
			hidden = append(hidden, Known{Name: name, Value: value, Sure: Telling(name)})
		}
	}
	return list, hidden
}

// Arguments returns the arguments of a program in which all values are hidden that may be secret,
// and the hidden values. It knows --name=value, --name value and arguments without a flag.
func Arguments(list []string) ([]string, []Known) {
	var hidden []Known
	list = slices.Clone(list)
	flag := ""
	for i, argument := range list {
		switch name, value, valued := strings.Cut(argument, "="); {
		case strings.HasPrefix(argument, "-") && valued && !shown(name, value):
			list[i] = name + "=" + Hidden
			hidden = append(hidden, Known{Name: name, Value: value, Sure: Telling(name)})
			flag = ""
		case strings.HasPrefix(argument, "-"):
			flag = ""
			if !valued {
				flag = argument
			}
		case shown(flag, argument) || flag == "" && subcommand.MatchString(argument):
			flag = ""
		default:
			list[i] = Hidden
			hidden = append(hidden, Known{Name: flag, Value: argument, Sure: Telling(flag)})
			flag = ""
		}
	}
	return list, hidden
}

var subcommand = regexp.MustCompile(`^[a-z]{1,12}(?:-[a-z]{1,12})?$|^[A-Za-z_][A-Za-z0-9_]*=(?:true|false|\d{1,5})$`)
