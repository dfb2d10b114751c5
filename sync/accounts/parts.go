package accounts

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// Headquarters cannot sort a snapshot for a gate, whose keys are its own keyed
// hashes. So the items are sealed as they will be stored, put into parts by the
// first bits of their keys, and the parts sorted and loaded one after another:
// the file is written once from front to back, and memory holds one part.
const (
	perPart  = 1 << 14 // items of a part, about
	maxParts = 256
	partBuf  = 32 << 10
	fill     = 0.9 // of a page: full, with room for what changes later
)

// What a partial item is of.
const (
	partPut byte = iota + 1
	partStatus
	partPass
	partOrganisation
	partMark
)

// part is an item as it waits in a part: the sealed form of what its change
// says by itself.
type part struct {
	key   accountKey
	kind  byte
	order uint64
	value []byte
}

// parts are the files of one bucket's items.
type parts struct {
	name  string
	files []*os.File
	bufs  []*bufio.Writer
}

func newParts(dir, name string, items uint64) (*parts, error) {
	n := 1
	for n < maxParts && uint64(n)*perPart < items {
		n *= 2
	}
	p := &parts{name: name}
	for i := range n {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("%s-%03d", name, i)), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
		p.files, p.bufs = append(p.files, f), append(p.bufs, bufio.NewWriterSize(f, partBuf))
	}
	return p, nil
}

func (p *parts) add(it part) error {
	w := p.bufs[int(it.key[0])*len(p.bufs)/256]
	head := append(make([]byte, 0, 32), it.key[:]...)
	head = append(head, it.kind)
	head = binary.BigEndian.AppendUint64(head, it.order)
	head = binary.BigEndian.AppendUint32(head, uint32(len(it.value)))
	_, _ = w.Write(head) // an error stays for the next call
	_, err := w.Write(it.value)
	return err
}

// read gives part n sorted by key, and for one key in the log's order, and
// removes it.
func (p *parts) read(n int) ([]part, error) {
	if err := p.bufs[n].Flush(); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(p.files[n].Name())
	if err != nil {
		return nil, err
	}
	var out []part
	const head = 16 + 1 + 8 + 4
	for len(b) > 0 {
		if len(b) < head || uint64(len(b)-head) < uint64(binary.BigEndian.Uint32(b[25:])) {
			return nil, io.ErrUnexpectedEOF
		}
		end := head + int(binary.BigEndian.Uint32(b[25:]))
		out = append(out, part{accountKey(b[:16]), b[16], binary.BigEndian.Uint64(b[17:]), b[head:end:end]})
		b = b[end:]
	}
	slices.SortFunc(out, func(a, b part) int {
		if c := bytes.Compare(a.key[:], b.key[:]); c != 0 {
			return c
		}
		return cmp.Compare(a.order, b.order)
	})
	return out, os.Remove(p.files[n].Name())
}

func (p *parts) close() error {
	var err error
	for _, f := range p.files {
		err = errors.Join(err, f.Close())
	}
	return err
}
