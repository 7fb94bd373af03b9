// Package modgraph tells which modules a module's own requirements bring to those who require it.
//
// Its entry is [Read]. Tests of the library's modules call it, to hold what an adopter's `go mod graph` gains.
// It runs the go command and changes nothing.
package modgraph
