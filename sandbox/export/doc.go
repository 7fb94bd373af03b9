// Package export writes diagnostic data of a broken sandbox into a folder that users can share.
//
// [Write] takes a list of [Part]s and writes each into a file. It limits their size and time. A
// [Redactor] removes keys, tokens and passwords. After the failure of a part, Write continues with
// the other parts. [Objects] returns parts for all objects of an API server, with the data of
// Secrets redacted. Package up defines the parts of a sandbox; the end-to-end tests use them for
// their artifacts. The package never changes the sandbox.
package export
