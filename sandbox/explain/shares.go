package explain

import (
	"cmp"
	"slices"
	"time"
)

// Share is the time that an actor took for a reason.
type Share struct {
	Actor  string
	Reason Reason
	// Object and Detail are of the longest segment, if it is most of the share. Waits, delays and
	// unknown times for different objects or details are different shares.
	Object   Object
	Detail   string
	Inferred bool // See [Segment].
	Duration time.Duration
}

// mostOf is the part of a share that one segment must have to describe it.
const mostOf = 0.8

// Shares adds up the segments by actor and reason, the longest first. Their sum is Total.
func (e Explanation) Shares() []Share {
	var shares []Share
	var longest []time.Duration
	index := map[Share]int{}
	for _, s := range e.Path {
		key := Share{Actor: s.Actor, Reason: s.Reason, Inferred: s.Inferred}
		switch s.Reason {
		case ReasonWaiting, ReasonUnknown, ReasonRequeue:
			key.Object, key.Detail = s.Object, s.Detail
		case ReasonBackoff, ReasonCode:
			key.Detail = s.Detail
		}
		at, known := index[key]
		if !known {
			at = len(shares)
			index[key] = at
			shares, longest = append(shares, key), append(longest, 0)
		}
		shares[at].Duration += s.Duration
		if s.Duration > longest[at] {
			longest[at] = s.Duration
			shares[at].Object, shares[at].Detail = s.Object, s.Detail
		}
	}
	for i := range shares {
		share := &shares[i]
		if float64(longest[i]) >= mostOf*float64(share.Duration) {
			continue
		}
		switch share.Reason {
		case ReasonWaiting, ReasonUnknown, ReasonRequeue:
		case ReasonBackoff, ReasonCode:
			share.Object = Object{}
		default:
			share.Object, share.Detail = Object{}, ""
		}
	}
	slices.SortStableFunc(shares, func(a, b Share) int { return cmp.Compare(b.Duration, a.Duration) })
	return shares
}
