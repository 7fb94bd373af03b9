// Package rig is what the tests that break sandboxes have in common: [Main] builds the sandbox's program once, and a [Sandbox] is
// one sandbox of a test, on which the program's commands are run as a user runs them. The tests of package faults and of
// package faults/embedded call it. It never breaks anything itself, and never touches the user's own sandbox.
package rig
