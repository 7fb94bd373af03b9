// Package cli defines the commands of the sandbox: their flags, output and exit codes.
//
// [Execute] runs the command line; main calls it with the plan. This package has the commands that
// change something. Packages show and inspect have the other commands, and package command has the
// shared flags and errors. Package lifecycle does the work. Commands print progress on stderr and
// results on stdout, so that scripts can read them.
package cli
