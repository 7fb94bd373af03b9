// Package pki keeps the certificate authorities, certificates and signing keys of an embedded control plane as files.
//
// A [Store] is a folder of them. Its [Store.Authority] makes sure of a CA, [Authority.Certificate] of a certificate that the CA
// signed, and [Store.SigningKey] of the key that signs ServiceAccount tokens. All three look at what is there and replace it only
// where it can't be used any more: it is missing or damaged, its time is over or not there yet, or it is not what was asked for. A
// second call therefore changes nothing, a call after an interrupted one repairs what that left behind, and whatever a call
// replaced it reports, so that the caller can restart the processes that had read it.
//
// Package embedded calls it under the lock of the state folder, whenever a sandbox is brought up. It never serves or checks a
// connection, never reads certificates that it did not make, and never talks to a cluster: package credentials does that.
package pki
