// Package inspect has the commands that read the state of a sandbox or of the machine and change
// nothing: status, logs, env, forward, export, doctor, and the hidden observer.
package inspect
