// Package state stores the state of a sandbox between commands: its folders, its lock and its
// record.
//
// A [Dir] is the folder of one sandbox. [Open] creates it. [Dir.Lock] prevents concurrent changes
// by two commands. [Dir.Load] and [Dir.Save] read and write the [Record]. The commands in package
// cli call this package first. The package does not check if the record is still correct; packages
// cluster and install do.
package state
