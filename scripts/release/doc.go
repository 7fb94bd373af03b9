// Command release releases all modules of this repository that others import, under one version.
//
// scripts/release.sh runs it. It sets the version in every go.mod, so that the modules require each other at the new
// version, and adds the checksums to go.sum. Then it commits, tags and pushes.
// It needs git, and no network except for the push.
package main
