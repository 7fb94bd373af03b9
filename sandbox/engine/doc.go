// Package engine finds a container engine (docker, podman or nerdctl) and calls it.
//
// [Detect] returns an engine that can start privileged containers: it starts one. An [Engine]
// loads, lists and deletes images, and runs commands in containers. Package cluster runs kind
// clusters on it; packages up and doctor use it for images and diagnosis.
package engine
