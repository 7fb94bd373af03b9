package cluster

import (
	"fmt"
	"strings"
	"unicode"

	"sigs.k8s.io/kind/pkg/log"
)

// kindLogger turns kind's messages into a step's detail. It shows only what kind is at; warnings are about cgroup v1 and
// experimental settings, which the sandbox chose on purpose, and errors come back as errors.
type kindLogger struct{ report Report }

var (
	_ log.Logger     = (*kindLogger)(nil)
	_ log.InfoLogger = infoLogger{}
)

// Warn drops the message.
func (*kindLogger) Warn(string) {}

// Warnf drops the message.
func (*kindLogger) Warnf(string, ...any) {}

// Error drops the message: kind returns it as well.
func (*kindLogger) Error(string) {}

// Errorf drops the message: kind returns it as well.
func (*kindLogger) Errorf(string, ...any) {}

// V shows messages of level 0, kind's own progress.
func (l *kindLogger) V(level log.Level) log.InfoLogger {
	if level > 0 {
		return infoLogger{}
	}
	return infoLogger{report: l.report}
}

type infoLogger struct{ report Report }

// Info shows what kind is at.
func (l infoLogger) Info(message string) {
	if words := plainWords(message); words != "" {
		l.report.say("%s", words)
	}
}

// Infof shows what kind is at.
func (l infoLogger) Infof(format string, args ...any) { l.Info(fmt.Sprintf(format, args...)) }

// Enabled says whether messages of this level are shown.
func (l infoLogger) Enabled() bool { return l.report != nil }

// plainWords takes bullets, ticks, emoji and dots off a message of kind's: " • Preparing nodes 📦  ..." becomes
// "Preparing nodes".
func plainWords(message string) string {
	plain := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" -_:/\"", r) {
			return r
		}
		return -1
	}, message)
	return strings.TrimSpace(plain)
}
