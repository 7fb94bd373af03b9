// Package rig is the common part of the tests that break sandboxes: [Main] builds the sandbox's
// program once, and a [Sandbox] is the sandbox of a test, on which the program's commands run as a
// user runs them. The tests of package faults and of package faults/embedded use it. It never
// breaks anything itself, and never changes the user's own sandbox.
package rig
