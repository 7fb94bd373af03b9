// Package image gets the container images of a sandbox: it builds them from source, or pulls them from a registry.
//
// A [Source] builds: Go modules pinned under sandbox/source with `go build`, the node's root filesystem with
// debootstrap, and images out of both with go-containerregistry; no Dockerfile and no daemon takes part. Everything
// built is kept in the user's cache folder under a hash of what went in. A [Registry] pulls the same images by tag or
// digest. Both hand out a [Set], which the steps in sandbox/plan.go stream into the container engine and the node.
// The package never talks to a container engine or a cluster itself: those arrive as small interfaces.
package image
