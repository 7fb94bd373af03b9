package redact

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"
	"github.com/zricethezav/gitleaks/v8/config"
)

// ownRules are rules of gitleaks that this package replaces: names and blocks have patterns here.
var ownRules = []string{"generic-api-key", "private-key", "jwt", "jwt-base64"}

// rule is a rule of gitleaks, for example for tokens of a code hosting site.
type rule struct {
	ID          string
	Regex       string
	Path        string
	Keywords    []string
	Entropy     float64
	SecretGroup int
	Allowlists  []struct {
		Regexes     []string
		StopWords   []string
		RegexTarget string
	}
	compiled func() *regexp.Regexp
}

type ruleSet struct {
	always   []*rule
	rules    map[string][]*rule // By keyword.
	keywords *keywords
}

// loadRules reads the rules at the first use. A rule is compiled at its first use, because all of
// them take most of a second.
var loadRules = sync.OnceValue(func() *ruleSet {
	var document struct{ Rules []*rule }
	if _, err := toml.Decode(config.DefaultConfig, &document); err != nil {
		panic("the rules of gitleaks are not TOML: " + err.Error()) // A test would find it.
	}
	set := &ruleSet{rules: map[string][]*rule{}}
	for _, r := range document.Rules {
		if r.Path != "" || r.Regex == "" || slices.Contains(ownRules, r.ID) {
			continue
		}
		r.compiled = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(r.Regex) })
		if len(r.Keywords) == 0 {
			set.always = append(set.always, r)
		}
		for _, keyword := range r.Keywords {
			keyword = strings.ToLower(keyword)
			set.rules[keyword] = append(set.rules[keyword], r)
		}
	}
	set.keywords = newKeywords(slices.Collect(maps.Keys(set.rules)))
	return set
})

func hideByRules(line []byte) []byte {
	for _, r := range loadRules().candidates(line) {
		line = r.hide(line)
	}
	return line
}

func (s *ruleSet) candidates(line []byte) []*rule {
	found := slices.Clone(s.always)
	s.keywords.each(line, 0, func(_ int, keyword string) bool {
		for _, r := range s.rules[keyword] {
			if !slices.Contains(found, r) {
				found = append(found, r)
			}
		}
		return true
	})
	return found
}

func (r *rule) hide(line []byte) []byte {
	e := edits{text: line}
	for _, m := range r.compiled().FindAllSubmatchIndex(line, -1) {
		group := r.SecretGroup
		for g := 1; g < len(m)/2 && group == 0; g++ { // As gitleaks: the first group that is not empty.
			if m[2*g+1] > m[2*g] {
				group = g
			}
		}
		start, end := m[2*group], m[2*group+1]
		if start < e.kept {
			continue
		}
		secret := string(line[start:end])
		if entropy(secret) <= r.Entropy || r.allows(secret, string(line[m[0]:m[1]]), string(line)) || strings.Contains(secret, Hidden) {
			continue
		}
		e.replace(start, end, hiddenBytes)
	}
	return e.result()
}

var patterns sync.Map // By text.

// compiled compiles a pattern of a known exception once.
func compiled(pattern string) *regexp.Regexp {
	if found, ok := patterns.Load(pattern); ok {
		return found.(*regexp.Regexp)
	}
	found, _ := patterns.LoadOrStore(pattern, regexp.MustCompile(pattern))
	return found.(*regexp.Regexp)
}

func (r *rule) allows(secret, match, line string) bool {
	for _, list := range r.Allowlists {
		target := secret
		switch list.RegexTarget {
		case "match":
			target = match
		case "line":
			target = line
		}
		for _, pattern := range list.Regexes {
			if compiled(pattern).MatchString(target) {
				return true
			}
		}
		for _, word := range list.StopWords {
			if strings.Contains(strings.ToLower(secret), word) {
				return true
			}
		}
	}
	return false
}

func entropy(text string) float64 {
	var counts [256]int
	for i := range len(text) {
		counts[text[i]]++
	}
	bits := 0.0
	for _, n := range counts {
		if n > 0 {
			share := float64(n) / float64(len(text))
			bits -= share * math.Log2(share)
		}
	}
	return bits
}
