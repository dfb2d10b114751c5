package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"syscall"
	"time"
)

// The form of a bbolt file (version 2), as far as its structure goes. Numbers
// are in the machine's own order.
const (
	pageHeader   = 16 // id u64, flags u16, count u16, overflow u32
	elementSize  = 16
	bucketHeader = 16 // root page u64, sequence u64
	metaSize     = 64 // without its page header
	metaMagic    = 0xED0CDAED
	metaVersion  = 2

	flagBranch = 0x01
	flagLeaf   = 0x02
	flagMeta   = 0x04
	leafBucket = 0x01 // the element is a bucket

	maxDepth    = 40
	maxOverflow = 1 << 16 // pages of one value; ours take a few dozen
)

// scan checks the structure of a bbolt file: that every page in use is one
// page, of a known kind, reached once, with its elements inside it and its keys
// in order. It holds no map of the file and trusts nothing it reads.
//
// It stands before bbolt.Open, which finds the same faults while it looks for
// free pages, but in a goroutine of its own, where they end the process.
func scan(f io.ReaderAt, size int64) error {
	s, root, err := readMeta(f, size)
	if err != nil {
		return err
	}
	return s.page(root, nil, nil, 0)
}

type scanner struct {
	f        io.ReaderAt
	pageSize int64
	high     uint64   // pages from here on are not in use
	seen     []uint64 // bit set of pages reached
}

// readMeta takes the newer of the two meta pages. Both must be whole, which
// bbolt does not ask: with one of them it would go on from the transaction
// before the last, and a record that was durable would be gone without a trace.
func readMeta(f io.ReaderAt, size int64) (*scanner, uint64, error) {
	var best []byte
	page := int64(os.Getpagesize())
	for i := range int64(2) {
		b := make([]byte, pageHeader+metaSize)
		if _, err := f.ReadAt(b, i*page); err != nil || !metaWhole(b[pageHeader:]) {
			return nil, 0, fmt.Errorf("%w: meta page %d is not whole", ErrDamaged, i)
		}
		m := b[pageHeader:]
		if best == nil || metaTx(m) > metaTx(best) {
			best = m
		}
		page = int64(binary.NativeEndian.Uint32(m[8:])) // where the second one stands
	}
	s := &scanner{f: f, pageSize: int64(binary.NativeEndian.Uint32(best[8:])), high: binary.NativeEndian.Uint64(best[40:])}
	if s.pageSize < 1024 || s.pageSize > 1<<16 || s.pageSize&(s.pageSize-1) != 0 {
		return nil, 0, fmt.Errorf("%w: pages of %d bytes", ErrDamaged, s.pageSize)
	}
	if s.high < 3 || s.high > uint64(size/s.pageSize) {
		return nil, 0, fmt.Errorf("%w: cut short: %d pages in use, %d in the file", ErrDamaged, s.high, size/s.pageSize)
	}
	s.seen = make([]uint64, s.high/64+1)
	return s, binary.NativeEndian.Uint64(best[16:]), nil
}

func metaTx(m []byte) uint64 { return binary.NativeEndian.Uint64(m[48:]) }

func metaWhole(m []byte) bool {
	h := fnv.New64a()
	h.Write(m[:metaSize-8])
	return binary.NativeEndian.Uint32(m) == metaMagic && binary.NativeEndian.Uint32(m[4:]) == metaVersion &&
		binary.NativeEndian.Uint64(m[metaSize-8:]) == h.Sum64()
}

// page checks page id and all below it. Its keys are from low on and below
// high, where given.
func (s *scanner) page(id uint64, low, high []byte, depth int) error {
	b, err := s.read(id)
	if err != nil {
		return err
	}
	if depth > maxDepth {
		return fmt.Errorf("%w: page %d is too deep", ErrDamaged, id)
	}
	return s.elements(id, b, low, high, depth)
}

// read gives the bytes of a page with its overflow, once.
func (s *scanner) read(id uint64) ([]byte, error) {
	if id < 2 || id >= s.high {
		return nil, fmt.Errorf("%w: page %d is out of bounds", ErrDamaged, id)
	}
	head := make([]byte, pageHeader)
	if _, err := s.f.ReadAt(head, int64(id)*s.pageSize); err != nil {
		return nil, fmt.Errorf("%w: read page %d: %w", ErrDamaged, id, err)
	}
	overflow := uint64(binary.NativeEndian.Uint32(head[12:]))
	if binary.NativeEndian.Uint64(head) != id || overflow > maxOverflow || id+overflow >= s.high {
		return nil, fmt.Errorf("%w: page %d has another's header", ErrDamaged, id)
	}
	for p := id; p <= id+overflow; p++ {
		if s.seen[p/64]&(1<<(p%64)) != 0 {
			return nil, fmt.Errorf("%w: page %d is used twice", ErrDamaged, p)
		}
		s.seen[p/64] |= 1 << (p % 64)
	}
	b := make([]byte, int64(overflow+1)*s.pageSize)
	if _, err := s.f.ReadAt(b, int64(id)*s.pageSize); err != nil {
		return nil, fmt.Errorf("%w: read page %d: %w", ErrDamaged, id, err)
	}
	return b, nil
}

// elements checks what stands in a page, or in a bucket so small that it
// stands in its parent's page.
func (s *scanner) elements(id uint64, b, low, high []byte, depth int) error {
	bad := func(what string, i int) error {
		return fmt.Errorf("%w: page %d, element %d: %s", ErrDamaged, id, i, what)
	}
	flags, count := binary.NativeEndian.Uint16(b[8:]), int(binary.NativeEndian.Uint16(b[10:]))
	if flags != flagBranch && flags != flagLeaf || flags == flagBranch && count == 0 {
		return bad("kind of page", 0)
	}
	if pageHeader+count*elementSize > len(b) {
		return bad("too many", count)
	}
	var children []uint64
	var keys [][]byte
	for i := range count {
		e := b[pageHeader+i*elementSize:]
		key, value, ok := element(e, flags)
		switch {
		case !ok:
			return bad("reaches beyond the page", i)
		case i == 0 && bytes.Compare(key, low) < 0, i > 0 && bytes.Compare(key, keys[i-1]) <= 0,
			high != nil && bytes.Compare(key, high) >= 0:
			return bad("key is out of order", i)
		}
		keys = append(keys, key)
		if flags == flagBranch {
			children = append(children, binary.NativeEndian.Uint64(e[8:]))
		} else if binary.NativeEndian.Uint32(e)&leafBucket != 0 {
			if err := s.bucket(id, value, depth); err != nil {
				return err
			}
		}
	}
	for i, child := range children {
		end := high
		if i+1 < len(keys) {
			end = keys[i+1]
		}
		if err := s.page(child, keys[i], end, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// element gives the key and value that e, the rest of a page from an element
// on, speaks of.
func element(e []byte, flags uint16) (key, value []byte, ok bool) {
	var pos, ksize, vsize uint64
	if flags == flagBranch { // pos u32, ksize u32, child u64
		pos, ksize = uint64(binary.NativeEndian.Uint32(e)), uint64(binary.NativeEndian.Uint32(e[4:]))
	} else { // flags u32, pos u32, ksize u32, vsize u32
		pos, ksize = uint64(binary.NativeEndian.Uint32(e[4:])), uint64(binary.NativeEndian.Uint32(e[8:]))
		vsize = uint64(binary.NativeEndian.Uint32(e[12:]))
	}
	if pos < elementSize || pos+ksize+vsize > uint64(len(e)) {
		return nil, nil, false
	}
	return e[pos : pos+ksize], e[pos+ksize : pos+ksize+vsize], true
}

// bucket checks a bucket by the value it is stored as.
func (s *scanner) bucket(id uint64, v []byte, depth int) error {
	if len(v) < bucketHeader {
		return fmt.Errorf("%w: page %d: a bucket of %d bytes", ErrDamaged, id, len(v))
	}
	if root := binary.NativeEndian.Uint64(v); root != 0 {
		return s.page(root, nil, nil, depth+1)
	}
	inline := v[bucketHeader:]
	if len(inline) < pageHeader || binary.NativeEndian.Uint16(inline[8:]) != flagLeaf || depth > maxDepth {
		return fmt.Errorf("%w: page %d: a bucket inside it", ErrDamaged, id)
	}
	return s.elements(id, inline, nil, nil, depth+1)
}

// preflight checks the structure of the file at path while nobody writes.
func preflight(path string, wait time.Duration) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("%w: %s is no file", ErrDamaged, path)
	}
	if err := lockShared(f, wait); err != nil {
		return err
	}
	return scan(f, st.Size())
}

// lockShared takes the lock that a writer holds alone. Closing f lets it go.
func lockShared(f *os.File, wait time.Duration) error {
	const step = 20 * time.Millisecond
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return fmt.Errorf("lock %s: %w", f.Name(), err)
		case wait <= 0:
			return fmt.Errorf("%w: %s", ErrLocked, f.Name())
		}
		wait -= step
		<-time.After(step)
	}
}
