// Package state is what a sandbox remembers between commands: its folders, its lock and the record of what was made.
//
// A [Dir] is one sandbox's folder; [Open] makes it, [Dir.Lock] keeps two commands from changing one sandbox at once,
// and [Dir.Load] and [Dir.Save] read and write its [Record]. The commands in package cli call it first. It never asks
// the container engine or the cluster whether the record is still true; packages cluster and install do.
package state
