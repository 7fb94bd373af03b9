// Package modgraph reads the module graph of a module as an adopter sees it.
//
// Use [Read]. Tests of the library's modules check with it which modules an adopter's `go mod
// graph` gains. It runs the go command and changes no files of the module.
package modgraph
