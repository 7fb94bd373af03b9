// Package pki stores the certificate authorities, certificates and signing keys of an embedded
// control plane in files.
//
// A [Store] is a folder of such files. [Store.Authority] ensures a CA, [Authority.Certificate] a
// certificate signed by the CA, and [Store.SigningKey] the key that signs ServiceAccount tokens.
// All three reuse existing files. They replace files only if these are missing, damaged, outside
// their validity, or different from the request. A second call therefore changes nothing, and a
// call after an interrupted call repairs the files. Each call reports if it replaced files, so that
// the caller can restart the processes that use them.
//
// Package embedded calls this package whenever a sandbox starts, under the lock of the state
// folder. This package does not serve or verify connections, and does not connect to a cluster;
// package credentials does.
package pki
