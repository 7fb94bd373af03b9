package tracing

import "strings"

// intents is a set of effects of writes. The set of a reconcile is an attribute of its span.
type intents uint32

const (
	intentDelete intents = 1 << iota
	intentDesired
	intentMetadata
	intentOther
	intentStatus

	allIntents = 1<<iota - 1
)

// intentNames holds the attribute's value for each set.
var intentNames = func() (out [allIntents + 1]string) {
	words := []string{"delete", "desired_state", "metadata", "other", "status"} // sorted, in the order of the bits
	for set := range out {
		var names []string
		for bit, word := range words {
			if set&(1<<bit) != 0 {
				names = append(names, word)
			}
		}
		out[set] = strings.Join(names, ",")
	}
	out[0] = "none"
	return out
}()

// String returns the names in alphabetical order, joined by commas; "none" for the empty set.
func (i intents) String() string { return intentNames[i&allIntents] }
