package cluster

import (
	"errors"
	"regexp"
)

// validName is what kind takes for a cluster's name, and short enough for the node's host name.
var validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,44}[a-z0-9])?$`)

// ValidName returns an error unless kind accepts name as the name of a cluster.
func ValidName(name string) error {
	if !validName.MatchString(name) {
		return errors.New("use at most 46 lower-case letters, digits, dots and dashes")
	}
	return nil
}
