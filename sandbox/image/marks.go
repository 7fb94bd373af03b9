package image

import (
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// NoteImage notes that a container engine is about to be asked for an image of the sandbox's own: engines don't tell when an image was
// used. In a cache that only can be read nothing is noted.
func (b *Builder) NoteImage(name string) {
	path := b.imageMark(name)
	_ = os.MkdirAll(filepath.Dir(path), 0o755)
	_ = os.WriteFile(path, nil, 0o644)
	now := time.Now()
	_ = os.Chtimes(path, now, now)
}

// ImageUsed is when NoteImage was called for an image last; zero if it never was, as before there were such notes.
func (b *Builder) ImageUsed(name string) time.Time { return usedAt(b.imageMark(name)) }

// ForgetImages removes the notes about images that were not used since a time.
func (b *Builder) ForgetImages(since time.Time) {
	marks, _ := filepath.Glob(filepath.Join(b.Cache, imagesFolder, "*"))
	for _, mark := range marks {
		if usedAt(mark).Before(since) {
			_ = os.Remove(mark)
		}
	}
}

func (b *Builder) imageMark(name string) string {
	return filepath.Join(b.Cache, imagesFolder, url.PathEscape(name))
}
