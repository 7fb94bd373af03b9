// Package process runs programs that outlive the command that starts them.
package process
