package input

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// CheckYAML returns an error if the aliases of a YAML text would expand to more than [MaxManifest]
// bytes, or contain themselves. It returns nil if the text is not YAML: the reader of the text has
// the better error.
func CheckYAML(data []byte) error {
	if !bytes.ContainsRune(data, '*') || !bytes.ContainsRune(data, '&') {
		return nil
	}
	for documents := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var document yaml.Node
		if err := documents.Decode(&document); errors.Is(err, io.EOF) || err != nil {
			return nil //nolint:nilerr // The reader of the text reports it, with a better position.
		}
		if size := (sizes{}).of(&document); size > MaxManifest {
			return fmt.Errorf("%w: its YAML aliases expand to more than %d MB", ErrTooLarge, MaxManifest>>20)
		}
	}
}

// nodeSize is the estimated size of a node without its content.
const nodeSize = 8

// sizes has the expanded size of each node. A node in progress is too large: it contains itself.
type sizes map[*yaml.Node]int

func (s sizes) of(node *yaml.Node) int {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if size, known := s[node]; known {
		return size
	}
	s[node] = MaxManifest + 1
	size := nodeSize + len(node.Value)
	for _, child := range node.Content {
		size = min(size+s.of(child), MaxManifest+1)
	}
	s[node] = size
	return size
}
