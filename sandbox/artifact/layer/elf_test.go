package layer

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"testing"
)

// elfFile returns a minimal ELF file that needs a loader, unless that is "", and libraries.
func elfFile(t *testing.T, loader string, libraries ...string) string {
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
