// Package export writes what is needed to understand a sandbox that is broken into a folder that may be shown to others.
//
// [Write] gets a list of [Part]s, each a file, and writes them one after the other: bounded in size and time, and through a
// [Hider], which takes out keys, tokens and passwords. A part that can't be gathered keeps no other from being written. [Objects]
// lists everything that an API server has, Secrets without what they hold. Package up says what the parts of a sandbox are; the
// end-to-end tests use the same for their artifacts. It never changes the sandbox.
package export
