// Package component is the table of what a sandbox consists of: one file and one row for each
// component. Lists of components, of their logs and of their ports are loops over the table, for
// each provider. The package imports no other package of the sandbox.
package component
