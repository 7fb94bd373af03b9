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
	// Object and Detail are of the segments, if all of the share have the same. Waits, delays and
	// unknown times for different objects or details are different shares.
	Object   Object
	Detail   string
	Duration time.Duration
}

// Shares adds up the segments by actor and reason, the longest first. Their sum is Total.
func (e Explanation) Shares() []Share {
	var shares []Share
	index := map[Share]int{}
	for _, s := range e.Path {
		key := Share{Actor: s.Actor, Reason: s.Reason}
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
			shares = append(shares, Share{Actor: s.Actor, Reason: s.Reason, Object: s.Object, Detail: s.Detail})
		}
		share := &shares[at]
		share.Duration += s.Duration
		if share.Object != s.Object {
			share.Object = Object{}
		}
		if share.Detail != s.Detail {
			share.Detail = ""
		}
	}
	slices.SortStableFunc(shares, func(a, b Share) int { return cmp.Compare(b.Duration, a.Duration) })
	return shares
}
