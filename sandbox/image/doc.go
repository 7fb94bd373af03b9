// Package image gets what a sandbox runs: container images, or programs of this machine.
//
// A [Source] builds images: Go modules pinned under sandbox/source with `go build`, the node's root filesystem with
// debootstrap, and images out of both with go-containerregistry; no Dockerfile and no daemon takes part. A [Registry]
// pulls the same images by tag or digest. Both hand out a [Set], which the steps in sandbox/plan.go stream into the
// container engine and the node. [Programs] builds the same modules for a sandbox that has no container engine, and
// returns paths.
//
// Everything built is kept in the user's cache folder under a hash of what went in, so that Go is needed only for what
// is not there yet. Builds of the operator, which changes often, are bounded: when a new one is made, all but the five
// used last are removed, unless they were used within the hour. The rest stays until RemoveCache.
// The package never talks to a container engine or a cluster itself: those arrive as small interfaces.
package image
