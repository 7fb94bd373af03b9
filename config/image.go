package config

import (
	"strings"

	"sigs.k8s.io/kustomize/api/types"
)

// images returns kustomize's description of the replacement of the operator's image by ref.
func images(ref string) []types.Image {
	if ref == "" {
		return nil
	}
	image := types.Image{Name: OperatorImage}
	ref, image.Digest, _ = strings.Cut(ref, "@")
	image.NewName = ref
	// A colon before the last slash belongs to the port of the registry.
	if colon := strings.LastIndex(ref, ":"); colon > strings.LastIndex(ref, "/") {
		image.NewName, image.NewTag = ref[:colon], ref[colon+1:]
	}
	return []types.Image{image}
}
