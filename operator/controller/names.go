package controller

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxName is the longest name of an owned object. Owned names also serve as
// label values, which may have 63 characters where object names may have 253.
const maxName = 63

// ownedName derives the name of an owned object from its owner's. Equal owners
// get equal names in every process. A name that would be too long is cut, and
// part of a hash of the whole takes the place of what was lost.
func ownedName(owner, suffix string) string {
	if len(owner)+len(suffix) <= maxName {
		return owner + suffix
	}
	sum := sha256.Sum256([]byte(owner))
	tail := "-" + hex.EncodeToString(sum[:4]) + suffix
	// A name part may not end in a dot or dash.
	return strings.TrimRight(owner[:maxName-len(tail)], ".-") + tail
}
