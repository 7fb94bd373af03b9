package spantree

import (
	"strconv"
	"strings"
)

// Repeat is the number of spans for one line of an expected tree. Its value is the mark before the
// name: one of the constants, or bounds as in {0,3}, {2} and {2,}.
type Repeat string

// The marks of the text format. Several spans of one line are siblings.
const (
	Once       Repeat = ""
	Optional   Repeat = "?"
	AnyNumber  Repeat = "*"
	OnceOrMore Repeat = "+"
)

// Between returns the mark for at least and at most that many spans. A negative most means no
// limit.
func Between(least, most int) Repeat {
	switch {
	case most < 0:
		return Repeat("{" + strconv.Itoa(least) + ",}")
	case least == most:
		return Repeat("{" + strconv.Itoa(least) + "}")
	}
	return Repeat("{" + strconv.Itoa(least) + "," + strconv.Itoa(most) + "}")
}

// Bounds returns the numbers of spans that a line with the mark requires and accepts. A negative
// most means no limit. An unknown mark is treated as Once.
func (r Repeat) Bounds() (least, most int) {
	switch r {
	case Optional:
		return 0, 1
	case AnyNumber:
		return 0, -1
	case OnceOrMore:
		return 1, -1
	}
	least, most, ok := parseBounds(string(r))
	if !ok {
		return 1, 1
	}
	return least, most
}

// parseBounds reads a mark such as {0,3}.
func parseBounds(mark string) (least, most int, ok bool) {
	inner, opened := strings.CutPrefix(mark, "{")
	inner, closed := strings.CutSuffix(inner, "}")
	low, high, both := strings.Cut(inner, ",")
	least, ok = parseBound(low)
	switch most = least; {
	case !opened || !closed || !ok:
		return 0, 0, false
	case both && high == "":
		most = -1
	case both:
		if most, ok = parseBound(high); !ok || most < least {
			return 0, 0, false
		}
	}
	return least, most, most != 0
}

// maxBound is the largest number in a mark.
const maxBound = 1_000_000

func parseBound(text string) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 0 && n <= maxBound && strconv.Itoa(n) == text
}

// bounded reports whether the mark states numbers.
func (r Repeat) bounded() bool { return strings.HasPrefix(string(r), "{") }

// required reports whether the mark requires at least one span.
func (r Repeat) required() bool {
	least, _ := r.Bounds()
	return least > 0
}

// several reports whether the mark accepts more than one span.
func (r Repeat) several() bool {
	_, most := r.Bounds()
	return most != 1
}

// repeatOf returns the mark with the given bounds.
func repeatOf(required, unbounded bool) Repeat {
	switch {
	case required && unbounded:
		return OnceOrMore
	case required:
		return Once
	case unbounded:
		return AnyNumber
	}
	return Optional
}
