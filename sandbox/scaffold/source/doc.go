// Package source finds facts in the Go files of an operator without building it: its programs and
// their flags, the controller of a kind, and the states that this controller writes to a status.
//
// It has only the syntax of the files. It resolves names by the import paths in the module, so that
// it needs neither the dependencies of the module nor generated files. Therefore the facts are
// guesses, which a user reviews.
package source
