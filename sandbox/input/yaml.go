package input

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// maxDepth is the maximum depth of a manifest. A large definition has about 60 levels, and the time
// of kustomize grows with the square of the depth.
const maxDepth = 300

// CheckYAML returns an error if the aliases of a YAML text would expand to more than [MaxManifest]
// bytes, or contain themselves, or if the text has more than 300 levels. It returns nil if the text
// is not YAML: the reader of the text has the better error.
func CheckYAML(data []byte) error {
	aliased := bytes.ContainsRune(data, '*') && bytes.ContainsRune(data, '&')
	if !aliased && depthLimit(data) <= maxDepth {
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
		if depth := (depths{}).of(&document); depth > maxDepth {
			return fmt.Errorf("%w: it has %d levels, more than %d", ErrTooLarge, depth, maxDepth)
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

// depthLimit returns a number that the depth of a YAML text does not exceed, without parsing it: the
// brackets that are open at once, and the indentation with the dashes of lists in lists.
func depthLimit(data []byte) int {
	open, mostOpen, indent, mostIndent := 0, 0, 0, 0
	inIndent := true
	for _, c := range data {
		switch c {
		case '\n':
			indent, inIndent = 0, true
			continue
		case '{', '[':
			open++
		case '}', ']':
			open = max(0, open-1)
		case ' ', '-', '?', ':':
			if inIndent {
				indent++
			}
			mostIndent = max(mostIndent, indent)
			continue
		}
		inIndent = false
		mostOpen = max(mostOpen, open)
	}
	return 2*mostOpen + mostIndent
}

// depths has the depth of each node, with the content of aliases, of which none contains itself.
type depths map[*yaml.Node]int

func (d depths) of(node *yaml.Node) int {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if depth, known := d[node]; known {
		return depth
	}
	depth := 0
	for _, child := range node.Content {
		depth = max(depth, d.of(child))
	}
	d[node] = depth + 1
	return depth + 1
}
