package view

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

// fold is an idle gap of the time axis that is drawn shorter than it is.
type fold struct{ from, to time.Duration }

const (
	// A gap is folded if it is at least this part of the axis, and if all folds together are half
	// of it.
	foldPart = 20
	// Each fold takes this part of the folded axis. More folds than half of it share half of the
	// axis.
	foldWidth = 16
)

// foldsOf returns the long parts of the axis in which no span runs. Waits do not count, nor do
// spans of a whole change.
func foldsOf(rows []Row, total time.Duration) []fold {
	var busy []fold
	for _, row := range rows {
		if !row.Wait && !strings.HasPrefix(row.Name, "converge ") {
			busy = append(busy, fold{row.Offset, row.Offset + row.Duration})
		}
	}
	if len(busy) == 0 {
		return nil
	}
	slices.SortFunc(busy, func(a, b fold) int { return cmp.Compare(a.from, b.from) })
	var folds []fold
	idle, at := time.Duration(0), time.Duration(0)
	for _, span := range append(busy, fold{total, total}) {
		if gap := span.from - at; gap > 0 && gap >= total/foldPart {
			folds = append(folds, fold{at, span.from})
			idle += gap
		}
		at = max(at, span.to)
	}
	if idle < total/2 || idle == total {
		return nil
	}
	return folds
}

// active returns the length of the axis without folded gaps, and the length that each fold has
// beside it.
func (w *Waterfall) active() (active, folded float64) {
	rest := w.Total
	for _, f := range w.folds {
		rest -= f.to - f.from
	}
	active = float64(max(1, rest))
	parts := float64(2 * max(len(w.folds), foldWidth/2))
	return active, active / (parts - float64(len(w.folds)))
}

// at returns the place of a time on the axis, from 0 to 1.
func (w *Waterfall) at(offset time.Duration) float64 {
	active, folded := w.active()
	place, length := 0.0, active
	from := time.Duration(0)
	for _, f := range w.folds {
		place += float64(min(max(offset, from), f.from) - from)
		inside := float64(min(max(offset, f.from), f.to)-f.from) / float64(f.to-f.from)
		place += inside * folded
		length += folded
		from = f.to
	}
	return (place + float64(max(offset, from)-from)) / length
}

// Ticks returns round times on the axis, starting with zero, that divide it into at most steps
// equal steps; with folded gaps there can be three more for each. If steps is less than 1, Ticks
// uses 1.
func (w *Waterfall) Ticks(steps int) []time.Duration {
	if w.Total == 1 {
		return []time.Duration{0} // All spans have the same instant.
	}
	active, _ := w.active()
	count := time.Duration(max(1, steps) + 2*len(w.folds))
	step := roundStep((time.Duration(active)-1)/count + 1)
	ticks := []time.Duration{0}
	from := step
	for _, f := range append(slices.Clone(w.folds), fold{w.Total, w.Total}) {
		for at := from; at <= f.from && at > 0; at += step {
			ticks = append(ticks, at)
		}
		from = max(from, (f.to/step+1)*step)
	}
	return ticks
}

// roundStep rounds a duration up to 1, 2 or 5 of a decimal unit, or to a round number of seconds,
// minutes, hours or days.
func roundStep(atLeast time.Duration) time.Duration {
	for unit := time.Duration(1); unit < 10*time.Second; unit *= 10 {
		for _, factor := range []time.Duration{1, 2, 5} {
			if step := unit * factor; step >= atLeast {
				return step
			}
		}
	}
	for _, seconds := range []time.Duration{10, 15, 30, 60, 2 * 60, 5 * 60, 10 * 60, 30 * 60, 3600, 2 * 3600, 6 * 3600, 12 * 3600} {
		if step := seconds * time.Second; step >= atLeast {
			return step
		}
	}
	const day = 24 * time.Hour
	return ((atLeast-1)/day + 1) * day
}

// axis returns a line with the lengths of folded gaps and the times of the ticks at their
// positions. It omits times that do not fit.
func (w *Waterfall) axis(columns int) string {
	line := []rune(strings.Repeat(" ", columns))
	place := func(at time.Duration, text string) {
		column, runes := int(w.at(at)*float64(columns)), []rune(text)
		end := column + len(runes)
		if end > columns || strings.TrimSpace(string(line[max(0, column-1):min(columns, end+1)])) != "" {
			return
		}
		copy(line[column:], runes)
	}
	for _, f := range w.folds {
		place(f.from, foldText(f))
	}
	for _, tick := range w.Ticks(max(3, columns/tickDistance)) {
		place(tick, format.Tick(tick))
	}
	return strings.TrimRight(string(line), " ")
}

// foldText returns the length of a folded gap for the axis.
func foldText(f fold) string { return "⋯" + format.Duration(f.to-f.from) + "⋯" }
