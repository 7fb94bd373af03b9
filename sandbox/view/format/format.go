// Package format formats texts, durations and numbers for terminals and documents. It escapes texts
// of other programs and measures them in columns of a terminal.
package format

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Escape replaces characters that are not printable with Go escape sequences. These include
// terminal control sequences and marks that change the text direction. Escape does not escape for a
// markup language.
func Escape(text string) string {
	quoted := strconv.Quote(text)
	return unquoted.Replace(quoted[1 : len(quoted)-1])
}

// EscapeText is [Escape] for a text of several lines: it keeps line feeds and tabs.
func EscapeText(text string) string {
	var b strings.Builder
	for text != "" {
		end := strings.IndexAny(text, "\n\t")
		if end < 0 {
			end = len(text)
		}
		b.WriteString(Escape(text[:end]))
		b.WriteString(text[end:min(end+1, len(text))])
		text = text[min(end+1, len(text)):]
	}
	return b.String()
}

// EscapeJSON escapes the same characters in a JSON text, which keeps its meaning. Bytes that are
// not UTF-8 become U+FFFD. The text must be valid JSON. A text without such characters is returned as it
// is.
func EscapeJSON(data []byte) []byte {
	first := bytes.IndexFunc(data, func(r rune) bool { return r == utf8.RuneError || !printedInJSON(r) })
	if first < 0 {
		return data
	}
	escaped := slices.Clone(data[:first])
	data = data[first:]
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && size == 1:
			escaped = append(escaped, `\ufffd`...)
		case printedInJSON(r):
			escaped = append(escaped, data[:size]...)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				escaped = fmt.Appendf(escaped, `\u%04x`, unit)
			}
		}
		data = data[size:]
	}
	return escaped
}

// printedInJSON reports whether a character needs no escape. Outside of strings, JSON has line feeds
// and tabs.
func printedInJSON(r rune) bool { return r < ' ' || strconv.IsPrint(r) }

// unquoted removes the escapes of the characters that are printable.
var unquoted = strings.NewReplacer(`\\`, `\`, `\"`, `"`)

// Count returns a number with a noun in the singular or plural: 0 spans, 1 span, 2 spans.
func Count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}

// Duration formats a duration with about three significant digits.
func Duration(d time.Duration) string {
	if d < 0 {
		return "-" + Duration(-d)
	}
	switch {
	case d == 0:
		return "0"
	case d < time.Microsecond:
		return fmt.Sprintf("%dns", d.Nanoseconds())
	case d < time.Millisecond:
		return fmt.Sprintf("%dµs", d.Microseconds())
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.1fms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.2fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// Tick formats a round time in its shortest form.
func Tick(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}

// Cells returns the number of terminal columns of an escaped text.
func Cells(text string) int {
	count := 0
	for _, r := range text {
		count += runeCells(r)
	}
	return count
}

func runeCells(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// Cut truncates an escaped text to a number of terminal columns and marks the cut with an ellipsis.
// If columns is 0 or less, Cut returns the whole text.
func Cut(text string, columns int) string {
	if columns <= 0 {
		return text
	}
	return Limit(text, columns)
}

// Limit is like Cut, but returns "" if limit is 0 or less.
func Limit(text string, limit int) string {
	if Cells(text) <= limit {
		return text
	}
	if limit <= 0 {
		return ""
	}
	used := 0
	for i, r := range text {
		if used += runeCells(r); used > limit-1 {
			return text[:i] + "…"
		}
	}
	return text
}

// CutLeft is like Limit, but keeps the end of the text. Every rune must take one column.
func CutLeft(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	if limit <= 0 {
		return ""
	}
	return "…" + string(runes[len(runes)-limit+1:])
}

// Wrap breaks a text into lines of at most limit columns, at spaces if possible.
func Wrap(text string, limit int) []string {
	var lines []string
	for Cells(text) > limit {
		used, end, space := 0, 0, 0
		for i, r := range text {
			if used += runeCells(r); used > limit && i > 0 {
				break
			}
			if r == ' ' {
				space = i
			}
			end = i + utf8.RuneLen(r)
		}
		if space > 0 {
			end = space
		}
		lines = append(lines, text[:end])
		text = strings.TrimLeft(text[end:], " ")
	}
	if text != "" {
		lines = append(lines, text)
	}
	return lines
}

// Pad appends spaces to an escaped text, up to a number of terminal columns.
func Pad(text string, columns int) string {
	return text + strings.Repeat(" ", max(0, columns-Cells(text)))
}

// PadLeft is like Pad, but the spaces precede the text.
func PadLeft(text string, columns int) string {
	return strings.Repeat(" ", max(0, columns-Cells(text))) + text
}
