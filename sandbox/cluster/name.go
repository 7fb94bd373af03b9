package cluster

import (
	"fmt"
	"regexp"
)

// validName is what kind takes for a cluster's name, and short enough for the node's host name.
var validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,44}[a-z0-9])?$`)

// ValidName tells whether kind would take name for a cluster.
func ValidName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("--name=%q: use at most 46 lower-case letters, digits, dots and dashes", name)
	}
	return nil
}
