// Package port chooses TCP ports on 127.0.0.1.
//
// [Choose] decides on Jaeger's ports, and [Free] finds a single free one; a port that a user asked for and that is in use gives a
// [TakenError], which names its holder. Packages cluster and embedded call it. It never keeps a port open: between choosing one
// and listening on it another program may take it, and the caller must cope.
package port
