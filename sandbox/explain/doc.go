// Package explain says why a change took as long as it did.
package explain
