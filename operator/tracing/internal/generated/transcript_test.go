package generated

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// transcript records one run, with normalized names. It is safe for concurrent use.
type transcript struct {
	mu       sync.Mutex
	lines    []string
	want     []string // transcript of the run to compare with; nil for none
	diverged bool
	names    map[string]string
	versions map[string]string // resource versions that count as an earlier version
}

// same makes a resource version count as an earlier one.
func (t *transcript) same(old, version string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.versions == nil {
		t.versions = map[string]string{}
	}
	if older, ok := t.versions[old]; ok {
		old = older
	}
	t.versions[version] = old
}

// random matches text that differs between two runs of one operator: the namespace, UIDs, resource
// versions, times, cluster addresses and generated names.
var random = regexp.MustCompile(`run-\d{6}` +
	`|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}` +
	`|resourceVersion":"\d+"|resourceVersion","value":"\d+"` +
	`|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z` +
	`|\b\d+\.\d+\.\d+\.\d+\b` +
	`|-gen-[a-z0-9]{5}\b`)

// normalized replaces random text by its class and the order of its first occurrence.
func (t *transcript) normalized(s string) string {
	return random.ReplaceAllStringFunc(s, func(found string) string {
		class, end := "", ""
		switch {
		case strings.HasPrefix(found, "run-"):
			return "NAMESPACE"
		case strings.Count(found, ".") == 3:
			return "ADDRESS" // a released address may be allocated again
		case strings.HasPrefix(found, "resourceVersion"):
			at := strings.LastIndexByte(found[:len(found)-1], '"') + 1
			class, end = found[:at]+"version-", `"`
			found = found[at : len(found)-1]
			if older, ok := t.versions[found]; ok {
				found = older
			}
		case strings.Contains(found, "T"):
			return "TIME" // two times may or may not be the same second
		case strings.HasPrefix(found, "-gen-"):
			class = "-gen-"
		case strings.Count(found, "-") == 4:
			class = "uid-"
		}
		if t.names == nil {
			t.names = map[string]string{}
		}
		name, ok := t.names[found]
		if !ok {
			name = fmt.Sprintf("%s%d%s", class, len(t.names), end)
			t.names[found] = name
		}
		return name
	})
}

// add adds a line and reports whether the run still equals the run to compare with.
func (t *transcript) add(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	line := t.normalized(fmt.Sprintf(format, args...))
	if compared := t.want != nil; compared {
		n := len(t.lines)
		t.diverged = t.diverged || n >= len(t.want) || t.want[n] != line
	}
	t.lines = append(t.lines, line)
}

// object adds the result that a caller received.
func (t *transcript) object(what string, obj client.Object, err error) {
	switch {
	case err != nil:
		t.add("  %s: error %v", what, err)
	case obj == nil:
		t.add("  %s: done", what)
	default:
		data, jsonErr := json.Marshal(obj)
		if jsonErr != nil {
			t.add("  %s: %v", what, jsonErr)
			return
		}
		t.add("  %s: %s", what, withoutManagedFields(data))
	}
}

func (t *transcript) hasDiverged() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.diverged
}

// withoutManagedFields returns a JSON object with its managed fields replaced. The API server
// orders their entries by time, in seconds, so that their order differs between runs. All other
// bytes stay.
func withoutManagedFields(data []byte) string {
	var object struct {
		Metadata struct {
			ManagedFields json.RawMessage `json:"managedFields"`
		} `json:"metadata"`
	}
	if json.Unmarshal(data, &object) != nil || len(object.Metadata.ManagedFields) == 0 {
		return string(data)
	}
	return strings.Replace(string(data), string(object.Metadata.ManagedFields), `"FIELDS"`, 1)
}

// difference explains the first difference of two transcripts. It returns "" if they are equal.
func difference(want, got []string) string {
	for i := range max(len(want), len(got)) {
		w, g := "(end)", "(end)"
		if i < len(want) {
			w = want[i]
		}
		if i < len(got) {
			g = got[i]
		}
		if w == g {
			continue
		}
		at := 0
		for at < min(len(w), len(g)) && w[at] == g[at] {
			at++
		}
		var b strings.Builder
		for _, line := range want[max(0, min(i, len(want))-4):min(i, len(want))] {
			fmt.Fprintf(&b, "    %s\n", excerpt(line, 0))
		}
		fmt.Fprintf(&b, "  - %s\n  + %s", excerpt(w, at), excerpt(g, at))
		return b.String()
	}
	return ""
}

// excerpt shortens a line around a byte.
func excerpt(line string, at int) string {
	const before, most = 120, 500
	line = strings.TrimSpace(line)
	from := max(0, at-before)
	out := line[from:min(len(line), from+most)]
	if from > 0 {
		out = line[:min(from, 60)] + " … " + out
	}
	if from+most < len(line) {
		out += " …"
	}
	return out
}
