package accounts

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"bordergate/sync/wire"
)

// ErrSnapshot says that a snapshot is not what its manifest names, or of no use
// here.
var ErrSnapshot = errors.New("snapshot of the accounts is refused")

// incoming is a snapshot on its way. Its pieces are kept as they come, sealed,
// so that neither a lost connection nor a restart costs what is here already.
type incoming struct {
	m      wire.Snapshot
	key    [32]byte
	stored []byte // the manifest, bare
	dir    string
	f      *os.File
	size   int64
	at     []int64     // where each piece that is here begins
	hashes []wire.Hash // of the pieces after the pages, as far as pages are here
}

// BeginSnapshot prepares to receive the snapshot with this manifest, whose
// signature the caller has verified, and says which piece is the first that is
// not here yet. Pieces of another snapshot are dropped. It is ErrSnapshot for one
// that is not ahead of the replica; a later epoch is ahead of an earlier one.
func (r *Replica) BeginSnapshot(m wire.Snapshot, key [32]byte) (next int, err error) {
	if err := r.ahead(m); err != nil {
		return 0, fmt.Errorf("begin snapshot: %w", err)
	}
	in := &incoming{m: m, key: key, dir: r.opts.Path + snapshotExt}
	if in.stored, err = json.Marshal(m.Bare()); err != nil {
		return 0, fmt.Errorf("begin snapshot: %w", err)
	}
	if was := r.incoming; was != nil {
		if bytes.Equal(was.stored, in.stored) { // the connection was lost: nothing has to be read again
			was.key = key
			return len(was.at), nil
		}
		_ = was.close()
		r.incoming = nil
	}
	if err := r.room(m); err != nil {
		return 0, fmt.Errorf("begin snapshot: %w", err)
	}
	if err := in.open(); err != nil {
		return 0, fmt.Errorf("begin snapshot: %w", errors.Join(err, in.close()))
	}
	r.incoming = in
	return len(in.at), nil
}

// perItem is what an item takes on the disk beside its piece: as part of the
// sorted whole and in the second file, with room to spare.
const perItem = 800

// room says whether the disk has room for a snapshot and the second file.
func (r *Replica) room(m wire.Snapshot) error {
	free, err := r.opts.free(filepath.Dir(r.opts.Path))
	if err != nil {
		return fmt.Errorf("look for room: %w", err)
	}
	if need := m.Bytes + int64(min(m.Items, 1<<40))*perItem + minMap/16; free < need {
		return fmt.Errorf("%w: it needs %d MB of disk beside %s and %d MB are free: make room there",
			ErrSnapshot, need>>20, filepath.Base(r.opts.Path), free>>20)
	}
	return nil
}

// freeSpace is what the disk of a folder has left, bytes.
func freeSpace(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}

// ahead says whether a snapshot would lead the replica on.
func (r *Replica) ahead(m wire.Snapshot) error {
	if err := m.Check(); err != nil {
		return err
	}
	if r.opts.ReadOnly {
		return ErrReadOnly
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	switch {
	case r.damaged || r.diverged || r.at.Epoch == 0:
	case m.Epoch < r.at.Epoch:
		return fmt.Errorf("%w: of epoch %d, the replica is at %d", ErrSnapshot, m.Epoch, r.at.Epoch)
	case m.Epoch == r.at.Epoch && m.Seq <= r.at.Cursor:
		return fmt.Errorf("%w: of place %d, the replica is at %d", ErrSnapshot, m.Seq, r.at.Cursor)
	}
	return nil
}

// AddPiece takes piece n and says which one is wanted next. Only that one is
// kept; another is no error and changes nothing.
func (r *Replica) AddPiece(n int, b []byte) (next int, err error) {
	in := r.incoming
	switch {
	case in == nil:
		return 0, fmt.Errorf("add piece: %w: none was begun", ErrSnapshot)
	case n != len(in.at) || n >= in.m.Pieces:
		return len(in.at), nil
	}
	if err := in.check(n, b); err != nil {
		return len(in.at), fmt.Errorf("add piece %d: %w", n, err)
	}
	if _, err := in.f.WriteAt(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...), in.size); err != nil {
		return len(in.at), fmt.Errorf("add piece %d: %w", n, err)
	}
	in.note(len(b))
	return len(in.at), nil
}

// open finds what is here of the snapshot, or begins with nothing.
func (in *incoming) open() error {
	name := filepath.Join(in.dir, "manifest")
	if have, err := os.ReadFile(name); err != nil || !bytes.Equal(have, in.stored) {
		if err := os.RemoveAll(in.dir); err != nil {
			return err
		}
		if err := os.Mkdir(in.dir, 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(name, in.stored, 0o600); err != nil {
			return err
		}
	}
	var err error
	if in.f, err = os.OpenFile(filepath.Join(in.dir, "pieces"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	in.resume()
	return nil
}

// resume takes up the pieces that are here, up to the first that is not the
// manifest's: the disk may have lost what was written last.
func (in *incoming) resume() {
	r := io.NewSectionReader(in.f, 0, 1<<62)
	for len(in.at) < in.m.Pieces {
		b, err := readPiece(r)
		if err != nil || in.check(len(in.at), b) != nil {
			return
		}
		in.note(len(b))
	}
}

func readPiece(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > wire.MaxPiece {
		return nil, wire.ErrPiece
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}

// check holds piece n to the manifest.
func (in *incoming) check(n int, b []byte) error {
	if n < len(in.m.Index) {
		hashes, err := in.m.PageHashes(n, b)
		if err == nil && len(in.hashes) == n*wire.PieceHashes {
			in.hashes = append(in.hashes, hashes...)
		}
		return err
	}
	if n -= len(in.m.Index); len(b) > wire.MaxPiece || n >= len(in.hashes) || wire.HashOf(b) != in.hashes[n] {
		return wire.ErrPiece
	}
	return nil
}

// note counts a piece of n bytes as being here.
func (in *incoming) note(n int) {
	in.at = append(in.at, in.size)
	in.size += 4 + int64(n)
}

// items gives the items of piece n, which is none of the pages. What the disk
// gives back is checked once more.
func (in *incoming) items(n int) ([][]byte, error) {
	b, err := readPiece(io.NewSectionReader(in.f, in.at[n], 4+wire.MaxPiece))
	if err == nil {
		err = in.check(n, b)
	}
	if err != nil {
		return nil, err
	}
	return wire.OpenPiece(in.m.ID, n, b, in.key)
}

func (in *incoming) complete() bool { return len(in.at) == in.m.Pieces }

func (in *incoming) close() error {
	if in.f == nil {
		return nil
	}
	return in.f.Close()
}

// drop forgets the snapshot and removes what is here of it.
func (in *incoming) drop() error { return errors.Join(in.close(), os.RemoveAll(in.dir)) }
