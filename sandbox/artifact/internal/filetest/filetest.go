// Package filetest creates and reads files in the tests of artifact and of the packages below it.
package filetest

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Put writes a file below a folder, and creates the folders above it. It returns the file's path.
func Put(t *testing.T, folder, path, content string) string {
	t.Helper()
	full := filepath.Join(folder, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return full
}

// Read returns the content of a file.
func Read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Names lists the entries of a folder, hidden ones too.
func Names(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Exists reports whether a file or folder exists.
func Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// UsedAgo sets the time of a file or folder's last use.
func UsedAgo(t *testing.T, path string, ago time.Duration) {
	t.Helper()
	past := time.Now().Add(-ago)
	if err := os.Chtimes(path, past, past); err != nil {
		t.Fatal(err)
	}
}

// Entry is an entry of an archive.
type Entry struct {
	Name, Link, Content string
	Type                byte
	Mode                int64
}

// Entries returns the entries of a layer, and checks that they have fixed times and owners.
func Entries(t *testing.T, archive io.Reader) []Entry {
	t.Helper()
	var found []Entry
	for reader := tar.NewReader(archive); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		if !header.ModTime.Equal(time.Unix(0, 0)) || header.Uid != 0 || header.Gid != 0 || header.Uname != "" {
			t.Errorf("%s: time %v, owner %d:%d %q; want fixed values",
				header.Name, header.ModTime, header.Uid, header.Gid, header.Uname)
		}
		found = append(found, Entry{header.Name, header.Linkname, string(content), header.Typeflag, header.Mode})
	}
}

// ELF returns a minimal ELF file that needs a loader, unless that is "", and libraries.
func ELF(t *testing.T, loader string, libraries ...string) string {
	t.Helper()
	names := "\x00"
	var dynamic []elf.Dyn64
	for _, library := range libraries {
		dynamic = append(dynamic, elf.Dyn64{Tag: int64(elf.DT_NEEDED), Val: uint64(len(names))})
		names += library + "\x00"
	}
	dynamic = append(dynamic, elf.Dyn64{Tag: int64(elf.DT_NULL)})

	sections := []struct {
		name string
		kind elf.SectionType
		data []byte
		link uint32
	}{
		{name: "", kind: elf.SHT_NULL},
		{name: ".shstrtab", kind: elf.SHT_STRTAB},
		{name: ".dynstr", kind: elf.SHT_STRTAB, data: []byte(names)},
		{name: ".dynamic", kind: elf.SHT_DYNAMIC, data: encode(t, dynamic), link: 2},
		{name: ".interp", kind: elf.SHT_PROGBITS, data: []byte(loader + "\x00")},
	}
	if loader == "" {
		sections = sections[:4]
	}
	sectionNames := ""
	headers := make([]elf.Section64, len(sections))
	for i, s := range sections {
		headers[i] = elf.Section64{Name: uint32(len(sectionNames)), Type: uint32(s.kind), Link: s.link}
		sectionNames += s.name + "\x00"
	}
	sections[1].data = []byte(sectionNames)

	const headerSize, sectionSize = 64, 64
	var body bytes.Buffer
	for i, s := range sections {
		headers[i].Off, headers[i].Size = uint64(headerSize+body.Len()), uint64(len(s.data))
		body.Write(s.data)
	}
	headers[0].Off = 0
	header := elf.Header64{
		Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT), Ehsize: headerSize,
		Shoff: uint64(headerSize + body.Len()), Shentsize: sectionSize, Shnum: uint16(len(sections)), Shstrndx: 1,
	}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS], header.Ident[elf.EI_DATA] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB)
	header.Ident[elf.EI_VERSION] = byte(elf.EV_CURRENT)
	return string(encode(t, header)) + body.String() + string(encode(t, headers))
}

func encode(t *testing.T, value any) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := binary.Write(&out, binary.LittleEndian, value); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
