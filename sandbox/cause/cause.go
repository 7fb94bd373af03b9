// Package cause finds the line of a program's log that explains why the program exited.
package cause

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ranks are the forms of lines that explain an exit, the most certain first.
var ranks = []*regexp.Regexp{
	regexp.MustCompile(`^panic: |^fatal error: |"level":"(?i:fatal|panic)"|^F\d{4} `),
	// A wrong command line. The usage follows it, often with the word "error".
	regexp.MustCompile(`unknown (shorthand )?flag|flag provided but not defined|flag needs an argument|invalid (boolean )?(value|argument) ".*" for |unknown command "`),
	regexp.MustCompile(`"level":"(?i:error)"|^(?i:error|fatal)\b|\b(?:Error:|ERROR\b|FATAL\b|level=(?:error|fatal))|^E\d{4} |err=`),
	regexp.MustCompile(`(?i)\berror|\bfailed\b|cannot |unable to |permission denied`),
}

// mild matches JSON log lines below the level error, which may mention errors.
var mild = regexp.MustCompile(`"level":"(?i:debug|info|warn|warning)"`)

// most is the maximum number of characters of a line.
const most = 300

// unsynced is the error of controller-runtime about a kind that it cannot list. The log has the
// reason before it.
const unsynced = "timed out waiting for cache to be synced"

// Of returns the last line that looks most like the reason for an exit, or else the last line. It
// ignores indented lines, which are usages and stack traces, and shortens long lines. The result is
// empty if the log is.
func Of(log string) string {
	last := lastError(log)
	if !strings.Contains(last, unsynced) {
		return last
	}
	for line := range strings.SplitSeq(log, "\n") {
		if Remedy(line) != "" && !calm.MatchString(line) {
			last = shorten(line)
		}
	}
	return last
}

func lastError(log string) string {
	lines := strings.Split(strings.Trim(log, "\n"), "\n")
	said := slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		return strings.TrimSpace(line) == "" || strings.ContainsAny(line[:1], " \t") || isFrame(line) || strings.HasPrefix(line, "Usage")
	})
	for _, rank := range ranks {
		for _, line := range slices.Backward(said) {
			if rank.MatchString(line) && !mild.MatchString(line) {
				return shorten(line)
			}
		}
	}
	if len(said) > 0 {
		lines = said
	}
	return shorten(lines[len(lines)-1])
}

// failureIn returns a line, shortened, if it reports an error; otherwise "".
func failureIn(line string) string {
	line = strings.TrimRight(line, "\n")
	if strings.TrimSpace(line) == "" || strings.ContainsAny(line[:1], " \t") || isFrame(line) || mild.MatchString(line) {
		return ""
	}
	if slices.ContainsFunc(ranks, func(rank *regexp.Regexp) bool { return rank.MatchString(line) }) {
		return shorten(line)
	}
	return ""
}

// isFrame reports whether a line is a function of a stack trace: it has no blank, or is the header.
func isFrame(line string) bool {
	function := strings.HasPrefix(line, "created by ") || strings.HasSuffix(line, ")") && !strings.Contains(line, " ")
	return function || strings.HasPrefix(line, "goroutine ")
}

// errorField matches the error in a line of the usual structured loggers.
var errorField = regexp.MustCompile(`(?:"error": ?|\b(?:err|error)=)("(?:[^"\\]|\\.)*")`)

// shorten returns a line. Of a long one, it returns the error, or the start.
func shorten(line string) string {
	line = strings.TrimSpace(line)
	if match := errorField.FindStringSubmatch(line); match != nil && len(line) > most {
		if text, err := strconv.Unquote(match[1]); err == nil {
			line = strings.Join(strings.Fields(text), " ")
		}
	}
	if letters := []rune(line); len(letters) > most {
		return string(letters[:most]) + "…"
	}
	return line
}
