package controller

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxName is the maximum length of an owned object's name. The name is also a label value, which can have
// 63 characters. Object names can have 253.
const maxName = 63

// ownedName returns the name of an owned object. The result depends only on the owner and the suffix. If
// the name would be too long, ownedName shortens it and appends a part of its hash.
func ownedName(owner, suffix string) string {
	if len(owner)+len(suffix) <= maxName {
		return owner + suffix
	}
	sum := sha256.Sum256([]byte(owner))
	tail := "-" + hex.EncodeToString(sum[:4]) + suffix
	// A part of a name must not end in a dot or dash.
	return strings.TrimRight(owner[:maxName-len(tail)], ".-") + tail
}
