package redact

import (
	"bytes"
	"strings"
)

// keywords finds words of at least two letters in a text, in upper and lower case. A regular
// expression of all of them would be ten times slower.
type keywords struct {
	heads  [1 << 16]bool // The first two bytes.
	byHead map[uint16][]string
}

func newKeywords(words []string) *keywords {
	k := &keywords{byHead: map[uint16][]string{}}
	for _, word := range words {
		word = strings.ToLower(word)
		head := uint16(word[0])<<8 | uint16(word[1])
		k.heads[head] = true
		k.byHead[head] = append(k.byHead[head], word)
	}
	return k
}

// each calls found with the places of all words in text[from:], until it returns false.
func (k *keywords) each(text []byte, from int, found func(at int, word string) bool) {
	previous := byte(0)
	for i := from; i < len(text); i++ {
		b := text[i]
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		head := uint16(previous)<<8 | uint16(b)
		previous = b
		if i == from || !k.heads[head] {
			continue
		}
		for _, word := range k.byHead[head] {
			if end := i - 1 + len(word); end <= len(text) && bytes.EqualFold(text[i-1:end], []byte(word)) && !found(i-1, word) {
				return
			}
		}
	}
}

// next returns the place of the first word in text[from:], or -1.
func (k *keywords) next(text []byte, from int) int {
	place := -1
	k.each(text, from, func(at int, _ string) bool { place = at; return false })
	return place
}
