// Package embedded breaks sandboxes whose cluster is processes of this machine, and repairs them
// with the commands of a user. It contains only tests, which build the sandbox's program and run it
// as another process.
//
//	go test ./e2e/faults/embedded
//
// Each test has a sandbox in its own folder, always removes it, and then checks that no process
// names that folder any more. Tests with names that end in AsRoot mount file systems, and need
// root.
package embedded
