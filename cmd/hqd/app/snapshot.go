package app

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"bordergate/sync/wire"
)

// snapshotBehind is how many changes a gate may be behind and still be sent
// them; a gate that lacks more than a twentieth of the accounts is quicker with
// a sorted file.
const snapshotBehind = 20_000

// Names in the folder of snapshots.
const (
	snapshotFile = "snapshot.json"
	piecesExt    = ".pieces"
)

var errMaking = errors.New("a snapshot is being made")

// snapshot is one on disk, its pieces as they travel.
type snapshot struct {
	Manifest wire.Snapshot `json:"manifest"` // without the key
	Key      []byte        `json:"key"`      // of the pieces, sealed
	Sizes    []int         `json:"sizes"`    // of the pieces in the file: the pages are its last

	key [32]byte
	at  []int64 // where each piece begins, by its number
}

// snapshots keeps the newest snapshot of the log. A gate that was fetching an
// older one begins anew.
type snapshots struct {
	dir    string
	ledger *ledger
	behind int

	making sync.Mutex
	mu     sync.Mutex
	cur    *snapshot
}

func openSnapshots(dir string, l *ledger, behind int, log *slog.Logger) (*snapshots, error) {
	if behind <= 0 {
		behind = snapshotBehind
	}
	s := &snapshots{dir: dir, ledger: l, behind: behind}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open snapshots: %w", err)
	}
	b, err := os.ReadFile(filepath.Join(dir, snapshotFile))
	if err == nil {
		var cur *snapshot
		if cur, err = s.parse(b); err == nil {
			s.cur = cur
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("Stored snapshot is not used", "error", err, "hint", "nothing to do: one is made anew when it is needed")
	}
	s.sweep()
	return s, nil
}

var errSnapshotFile = errors.New("stored snapshot is unfit")

// parse reads what make stored.
func (s *snapshots) parse(b []byte) (*snapshot, error) {
	var out snapshot
	if err := json.Unmarshal(b, &out); err != nil {
		return nil, err
	}
	m := out.Manifest
	key, err := s.ledger.aead.Open(nil, nil, out.Key, snapshotAAD(m))
	switch {
	case err != nil:
		return nil, err
	case len(key) != 32 || m.Epoch != s.ledger.epoch || m.Seq > s.ledger.seq || len(out.Sizes) != m.Pieces:
		return nil, errSnapshotFile
	}
	copy(out.key[:], key)
	return &out, out.place()
}

// place finds where the pieces are.
func (s *snapshot) place() error {
	var at int64
	offsets := make([]int64, len(s.Sizes))
	for i, n := range s.Sizes {
		if n < 0 || n > wire.MaxPiece {
			return errSnapshotFile
		}
		offsets[i] = at
		at += int64(n)
	}
	chunks := len(s.Sizes) - len(s.Manifest.Index)
	if chunks < 0 {
		return errSnapshotFile
	}
	s.Sizes = slices.Concat(s.Sizes[chunks:], s.Sizes[:chunks])
	s.at = slices.Concat(offsets[chunks:], offsets[:chunks])
	return nil
}

func snapshotAAD(m wire.Snapshot) []byte { return []byte("snapshot key " + m.ID) }

// sweep removes what belongs to no snapshot.
func (s *snapshots) sweep() {
	list, _ := filepath.Glob(filepath.Join(s.dir, "*"+piecesExt))
	for _, name := range list {
		if s.cur == nil || name != s.pieces(s.cur.Manifest.ID) {
			_ = os.Remove(name)
		}
	}
}

func (s *snapshots) pieces(id string) string { return filepath.Join(s.dir, id+piecesExt) }

// newest gives the snapshot for a gate that is to have one, making it where
// there is none or where following it up would take another one.
func (s *snapshots) newest(ctx context.Context) (*snapshot, error) {
	s.mu.Lock()
	cur := s.cur
	s.mu.Unlock()
	if cur != nil && !s.far(cur.Manifest.Seq) {
		return cur, nil
	}
	return s.make(ctx)
}

// far says whether changes alone would be the longer way from a place in the
// log to its end.
func (s *snapshots) far(cursor uint64) bool {
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	return s.ledger.seq > cursor && s.ledger.seq-cursor > uint64(max(s.behind, len(s.ledger.accounts)/20))
}

// make makes a snapshot of the log as it is now. One at a time is made; whoever
// comes meanwhile is told to come again.
func (s *snapshots) make(ctx context.Context) (*snapshot, error) {
	if !s.making.TryLock() {
		return nil, errMaking
	}
	defer s.making.Unlock()
	out, err := s.write(ctx)
	if err != nil {
		return nil, fmt.Errorf("make snapshot: %w", err)
	}
	s.mu.Lock()
	s.cur = out
	s.mu.Unlock()
	s.sweep()
	return out, nil
}

func (s *snapshots) write(ctx context.Context) (*snapshot, error) {
	l := s.ledger
	l.mu.Lock()
	segments := l.segments[:len(l.segments):len(l.segments)] // only ever appended to
	m := wire.Snapshot{Epoch: l.epoch, Seq: l.seq, Hash: l.hash, Made: l.now().UnixNano()}
	l.mu.Unlock()
	m.ID = randomID(16)
	out := &snapshot{}
	_, _ = rand.Read(out.key[:]) // crypto/rand never fails
	kept, err := l.kept(ctx, segments)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(s.pieces(m.ID), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	w := &pieceWriter{f: f, m: &m, key: out.key}
	err = w.all(ctx, l, segments, kept)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	out.Manifest, out.Sizes = m, w.sizes
	out.Key = l.aead.Seal(nil, nil, out.key[:], snapshotAAD(m))
	b, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	if err := writeFile(filepath.Join(s.dir, snapshotFile), b, 0o600); err != nil {
		return nil, err
	}
	return out, out.place()
}

// selection is which changes of the log a snapshot has: bit seq-1. What it
// remembers of each is little, for there are many.
type selection struct {
	bits  []uint64
	sizes []uint32 // of each change as an item
}

func (s selection) set(seq uint64)      { s.bits[(seq-1)/64] |= 1 << ((seq - 1) % 64) }
func (s selection) clear(seq uint64)    { s.bits[(seq-1)/64] &^= 1 << ((seq - 1) % 64) }
func (s selection) has(seq uint64) bool { return s.bits[(seq-1)/64]&(1<<((seq-1)%64)) != 0 }

// kept selects the changes that no later one has made worthless.
func (l *ledger) kept(ctx context.Context, segments []segment) (s selection, err error) {
	if len(segments) == 0 {
		return s, nil
	}
	type slot [16]byte
	last := segments[len(segments)-1].last
	s = selection{make([]uint64, last/64+1), make([]uint32, last)}
	newest := make(map[slot]uint64)
	parts := make(map[uint64]wire.Hash) // of the trust store
	var store wire.Trust
	var storeAt uint64
	err = l.walk(ctx, segments, func(seq uint64, raw []byte) error {
		var c wire.Change
		if err := json.Unmarshal(raw, &c); err != nil {
			return wire.ErrPayload
		}
		s.set(seq)
		s.sizes[seq-1] = uint32(len(wire.AppendItem(nil, raw)))
		switch c.Op {
		case wire.OpTrustPart:
			parts[seq] = wire.PartHash(c.Part)
		case wire.OpTrust:
			if storeAt != 0 {
				s.clear(storeAt)
			}
			storeAt, store = seq, *c.Trust
			named := store.Parts()
			for at, h := range parts {
				if !slices.Contains(named, h) {
					s.clear(at)
					delete(parts, at)
				}
			}
		}
		if c.Slot() != "" {
			sum := sha256.Sum256([]byte(c.Slot()))
			if old := newest[slot(sum[:16])]; old != 0 {
				s.clear(old)
			}
			newest[slot(sum[:16])] = seq
		}
		return nil
	})
	return s, err
}

// walk gives every change of the segments in order.
func (l *ledger) walk(ctx context.Context, segments []segment, each func(seq uint64, raw []byte) error) error {
	for _, seg := range segments {
		entries, err := l.read(ctx, seg.at)
		if err != nil {
			return err
		}
		for i, e := range entries {
			if err := each(seg.first+uint64(i), e.Raw); err != nil {
				return err
			}
		}
	}
	return nil
}

// pieceWriter writes the pieces of a snapshot, the pages last, since they are
// known last, and completes the manifest.
type pieceWriter struct {
	f      *os.File
	m      *wire.Snapshot
	key    [32]byte
	pages  int
	items  []byte
	hashes []wire.Hash
	sizes  []int
}

func (w *pieceWriter) all(ctx context.Context, l *ledger, segments []segment, kept selection) error {
	// A piece is sealed under its number, which counts the pages before it. So
	// they are counted first, from how the items will be cut.
	size, chunks := 0, 0
	for i, n := range kept.sizes {
		if !kept.has(uint64(i) + 1) {
			continue
		}
		if size+int(n) > wire.MaxPieceItems {
			size, chunks = 0, chunks+1
		}
		size += int(n)
		w.m.Items++
	}
	if size > 0 {
		chunks++
	}
	w.pages = (chunks + wire.PieceHashes - 1) / wire.PieceHashes
	err := l.walk(ctx, segments, func(seq uint64, raw []byte) error {
		if !kept.has(seq) {
			return nil
		}
		return w.add(raw)
	})
	if err == nil && len(w.items) > 0 {
		err = w.flush()
	}
	for _, page := range wire.SnapshotPages(w.hashes) {
		if err == nil {
			w.m.Index = append(w.m.Index, wire.HashOf(page))
			err = w.put(page)
		}
	}
	w.m.Pieces = len(w.sizes)
	return err
}

func (w *pieceWriter) add(raw []byte) error {
	if len(w.items)+len(wire.AppendItem(nil, raw)) > wire.MaxPieceItems {
		if err := w.flush(); err != nil {
			return err
		}
	}
	w.items = wire.AppendItem(w.items, raw)
	return nil
}

func (w *pieceWriter) flush() error {
	b, err := wire.SealPiece(w.m.ID, w.pages+len(w.hashes), w.items, w.key)
	if err != nil {
		return err
	}
	w.hashes, w.items = append(w.hashes, wire.HashOf(b)), w.items[:0]
	return w.put(b)
}

func (w *pieceWriter) put(b []byte) error {
	w.sizes = append(w.sizes, len(b))
	w.m.Bytes += int64(len(b))
	_, err := w.f.Write(b)
	return err
}

// SnapshotReport is a snapshot as people see it.
type SnapshotReport struct {
	ID     string    `json:"id"`
	Epoch  uint64    `json:"epoch"`
	Seq    uint64    `json:"seq"`
	Items  uint64    `json:"items"`
	Pieces int       `json:"pieces"`
	Bytes  int64     `json:"bytes"`
	Made   time.Time `json:"made"`
}

func (a *App) makeSnapshot(w http.ResponseWriter, r *http.Request) {
	s, err := a.snapshots.make(r.Context())
	if err != nil {
		reply(w, nil, err)
		return
	}
	m := s.Manifest
	reply(w, SnapshotReport{m.ID, m.Epoch, m.Seq, m.Items, m.Pieces, m.Bytes, time.Unix(0, m.Made).UTC()}, nil)
}
