package redact

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

var (
	assignment = regexp.MustCompile(`^\s*(?:-\s+|export\s+)?["']?([\w.-]+)["']?\s*[:=]\s*(.+?)\s*,?$`)
	inAddress  = regexp.MustCompile(`[a-zA-Z][a-zA-Z0-9+.-]*://([^\s/@]*)@`)
	nameAndKey = regexp.MustCompile(`^[\w.@-]+:(\S{4,})$`)
)

// derived returns the secrets in a secret value: in JSON, for example a dockerconfigjson, in lines
// like NAME=VALUE, in an address with a password, in base64, and the lines of a key.
func derived(k Known, depth int) []Known {
	const most = 1 << 20 // Longer values are only known as a whole.
	if depth == 0 || len(k.Value) > most {
		return nil
	}
	var parts []Known
	value := strings.TrimSpace(k.Value)
	var tree any
	if strings.HasPrefix(value, "{") || strings.HasPrefix(value, "[") {
		if json.Unmarshal([]byte(value), &tree) == nil {
			parts = append(parts, leaves("", tree)...)
		}
	} else if lines := strings.Split(value, "\n"); len(lines) > 1 {
		parts = append(parts, ofLines(lines)...)
	} else if strings.Contains(value, "=") { // For example headers of OTLP, or a connection string.
		parts = append(parts, ofLines(strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ';' || r == '&' }))...)
	} else if match := nameAndKey.FindStringSubmatch(value); match != nil && !strings.Contains(value, "://") {
		parts = append(parts, Known{Name: k.Name, Value: match[1], Sure: true})
	}
	for _, match := range inAddress.FindAllStringSubmatch(value, -1) {
		_, password, found := strings.Cut(match[1], ":")
		if !found {
			password = match[1]
		}
		parts = append(parts, Known{Value: password, Sure: true})
		if plainText, err := url.PathUnescape(password); err == nil {
			parts = append(parts, Known{Value: plainText, Sure: true})
		}
	}
	if decoded, err := base64.StdEncoding.DecodeString(value); err == nil && len(decoded) >= short && utf8.Valid(decoded) {
		parts = append(parts, Known{Name: k.Name, Value: string(decoded), Sure: true})
	}
	all := parts
	for _, part := range parts {
		all = append(all, derived(part, depth-1)...)
	}
	return all
}

func ofLines(lines []string) (parts []Known) {
	const fewest = 16
	for _, line := range lines {
		line = strings.TrimSpace(line)
		switch match := assignment.FindStringSubmatch(line); {
		case len(match) > 0 && Telling(match[1]):
			value := strings.Trim(match[2], `"'`)
			parts = append(parts, Known{Name: match[1], Value: value, Sure: true})
			if plainText, err := url.PathUnescape(value); err == nil {
				parts = append(parts, Known{Name: match[1], Value: plainText[strings.LastIndexByte(plainText, ' ')+1:], Sure: true})
			}
		case match == nil && len(line) >= fewest && !strings.ContainsAny(line, " \t:"):
			parts = append(parts, Known{Value: line})
		}
	}
	return parts
}

// leaves returns the strings of a JSON document with a telling name.
func leaves(name string, node any) (found []Known) {
	switch n := node.(type) {
	case map[string]any:
		for key, child := range n {
			found = append(found, leaves(key, child)...)
		}
	case []any:
		for _, child := range n {
			found = append(found, leaves(name, child)...)
		}
	case string:
		if Telling(name) {
			found = append(found, Known{Name: name, Value: n, Sure: true})
		}
	}
	return found
}
