// Package cli is the sandbox's commands: flags, what they print, and exit codes.
//
// [Execute] runs the command line; main calls it with the plan. Each command is one file. What commands do is in package
// up; progress goes to stderr, results to stdout, so that scripts can read them. No command touches a cluster other than
// through package lifecycle.
package cli
