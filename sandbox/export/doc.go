// Package export writes diagnostic data of a broken sandbox into a folder that users can share.
//
// [Write] takes a list of [Part]s and writes each into a file. It limits their size and time. A
// redactor of package redact hides the secrets that it recognizes. After the failure of a part, Write
// continues with the other parts. [Objects] returns parts for all objects of an API server, without
// the data of Secrets. Package lifecycle defines the parts of a sandbox; the end-to-end tests use them
// for their artifacts. The package never changes the sandbox.
//
// Write keeps at most twice [Limits.File] of a part in memory, and a redactor needs a few copies of it.
// Objects are read in pages.
package export
