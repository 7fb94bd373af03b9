package cause

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	// unserved matches the error of clients about a group that the API server does not serve.
	unserved = regexp.MustCompile(`server APIs: ([\w-]+\.[\w.-]+/v\w+): (?:no matches for|the server could not find|not found)`)
	// unknown matches the error of the API server about a resource of a custom kind that it does not
	// serve.
	unknown = regexp.MustCompile(`could not find the requested resource \(\w+ ([\w-]+\.[\w-]+\.[\w.-]+)\)`)
	// escalation matches the error about a role with permissions that the operator does not have.
	escalation = regexp.MustCompile(`attempting to grant RBAC permissions not currently held:(.*)`)
	// rule matches one of its rules.
	rule = regexp.MustCompile(`\{APIGroups:[^}]*\}|\{NonResourceURLs:[^}]*\}`)
	// denied matches the error of the API server about a missing permission.
	denied = regexp.MustCompile(`cannot (\w+) resource "([\w./-]+)" in API group "([\w.-]*)"(?: in the namespace "([\w.-]+)")?`)
	// absent matches the error about an object that only manifests or users create.
	absent = regexp.MustCompile(`(?i)\b((?:cluster)?roles?\.rbac\.authorization\.k8s\.io|storageclass(?:es)?\.storage\.k8s\.io|priorityclass(?:es)?\.scheduling\.k8s\.io|secrets?|configmaps?|serviceaccounts?) "([^"]+)" not found`)
)

// shownRules is the maximum number of rules of a role in a remedy.
const shownRules = 10

// Remedy returns the remedy if a text, for example a line of a log or the message of a condition,
// says that the cluster lacks a kind, a permission or an object that the operator requires. The
// result is empty for any other text.
func Remedy(text string) string {
	need, _ := needOf(text)
	return need
}

// needOf also reports whether the need can pass without a change by the user: another program can
// still create the object.
func needOf(text string) (remedy string, mayPass bool) {
	text = strings.ReplaceAll(text, `\`, "") // Of JSON, also in JSON.
	if remedy := UndefinedKind(text); remedy != "" {
		return remedy, false
	}
	for _, pattern := range []*regexp.Regexp{unserved, unknown} {
		if match := pattern.FindStringSubmatch(text); match != nil {
			return fmt.Sprintf("the operator requires kinds that the cluster does not have: add the CustomResourceDefinition of %s to operator.manifests in sandbox.yaml", match[1]), false
		}
	}
	if match := escalation.FindStringSubmatch(strings.ReplaceAll(text, "\n", " ")); match != nil {
		return "the operator grants permissions that it does not have: add a role with " + strings.Join(rule.FindAllString(match[1], shownRules), ", ") + " to operator.manifests in sandbox.yaml, and bind it to the operator's service account", false
	}
	if match := denied.FindStringSubmatch(text); len(match) > 0 && match[2] != "events" { // An event is only a report.
		where := "in all namespaces"
		if match[4] != "" {
			where = "in namespace " + match[4]
		}
		return fmt.Sprintf("the operator lacks a permission: add a role with {apiGroups: [%q], resources: [%q], verbs: [%q]} %s to operator.manifests in sandbox.yaml, and bind it to the operator's service account",
			match[3], match[2], match[1], where), false
	}
	if match := absent.FindStringSubmatch(text); match != nil {
		kind, _, _ := strings.Cut(match[1], ".")
		return fmt.Sprintf("the cluster has no object %s %q: add it to operator.manifests, or to sample.manifests if the sample refers to it", strings.ToLower(kind), match[2]), true
	}
	return "", false
}
