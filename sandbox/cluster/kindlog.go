package cluster

import (
	"fmt"
	"strings"
	"unicode"

	"sigs.k8s.io/kind/pkg/log"
)

// kindLogger reports the progress messages of kind as details of a step. It drops warnings, which
// are about cgroup v1 and experimental settings that the sandbox uses on purpose, and errors, which
// kind also returns.
type kindLogger struct {
	log.NoopLogger

	report Report
}

// V returns a logger that reports messages of level 0, kind's progress.
func (l *kindLogger) V(level log.Level) log.InfoLogger {
	if level > 0 {
		return l.NoopLogger.V(level)
	}
	return infoLogger{report: l.report}
}

type infoLogger struct{ report Report }

// Info reports the message.
func (l infoLogger) Info(message string) {
	if words := plainWords(message); words != "" {
		l.report.Say("%s", words)
	}
}

// Infof reports the message.
func (l infoLogger) Infof(format string, args ...any) { l.Info(fmt.Sprintf(format, args...)) }

// Enabled reports whether messages of this level are shown.
func (l infoLogger) Enabled() bool { return l.report != nil }

// plainWords removes bullets, ticks, emoji and dots from a message of kind: " • Preparing nodes 📦
// ..." becomes "Preparing nodes".
func plainWords(message string) string {
	plain := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" -_:/\"", r) {
			return r
		}
		return -1
	}, message)
	return strings.TrimSpace(plain)
}
