// Package embedded breaks sandboxes whose cluster is processes of this machine, and mends them with the commands that a user has:
// nothing here but tests, which build the sandbox's program and run it as another process.
//
//	go test ./e2e/faults/embedded
//
// Each test has a sandbox in a folder of its own, removes it whatever happens, and then proves that no process is left which names
// that folder. Those whose names end with AsRoot mount file systems, and need root for that.
package embedded
