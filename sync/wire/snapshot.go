package wire

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
)

// Limits of a snapshot.
const (
	MaxPieceItems = 150 << 10 // bytes of a piece's items; sealed they fit one message whatever they are
	MaxPiece      = 160 << 10 // bytes of a piece as sent
	PieceHashes   = 4096      // hashes in one page of the index
	MaxIndex      = 256       // pages
	MaxFetch      = 32        // pieces asked for at once
)

// Snapshot is the manifest of one: the changes of the accounts log up to Seq
// that no later one has made worthless, in their order, cut into pieces. The
// first len(Index) pieces are pages with the SHA-256 of all others, 4096 to a
// page, and Index holds that of each page; so a manifest of one message vouches
// for every byte of a snapshot of any size. Each other piece is sealed under
// the snapshot's own key, which Sealed brings under the group key Key.
type Snapshot struct {
	ID     string `json:"id"` // 16 random bytes, hex
	Epoch  uint64 `json:"epoch"`
	Seq    uint64 `json:"seq"`
	Hash   Hash   `json:"hash"` // of the chain at Seq
	Made   int64  `json:"made"` // Unix ns
	Items  uint64 `json:"items"`
	Pieces int    `json:"pieces"` // with the pages
	Bytes  int64  `json:"bytes"`  // of all pieces
	Index  []Hash `json:"index"`
	Key    string `json:"key"`
	Sealed []byte `json:"sealed"`
	// Of this offer, and not of the snapshot: Missed urgent messages to the gate
	// came before it, with everything that restricts after the gate's cursor
	// After. After 0: nothing is said of that.
	After  uint64 `json:"after,omitempty"`
	Missed int    `json:"missed,omitempty"`
}

// Bare is the manifest without what belongs to one offer: another offer of the
// same snapshot has the same.
func (s Snapshot) Bare() Snapshot {
	s.Key, s.Sealed, s.After, s.Missed = "", nil, 0, 0
	return s
}

// Fetch asks HQ for N pieces of a snapshot from From on. HQ answers a fetch of a
// snapshot that it no longer has with the manifest of its newest one.
type Fetch struct {
	ID   string `json:"id"`
	From int    `json:"from"`
	N    int    `json:"n"`
}

// Check holds a manifest to its form.
func (s Snapshot) Check() error {
	id, err := hex.DecodeString(s.ID)
	chunks := s.Pieces - len(s.Index)
	switch {
	case err != nil || len(id) != 16 || s.Epoch == 0 || s.Made <= 0:
		return fmt.Errorf("check snapshot: %w: no id, epoch or time", ErrPayload)
	case len(s.Index) > MaxIndex || chunks < 0 || pages(chunks) != len(s.Index):
		return fmt.Errorf("check snapshot: %w: %d pieces with %d pages of hashes", ErrPayload, s.Pieces, len(s.Index))
	case s.Items > s.Seq || s.Items > uint64(chunks)*MaxPieceItems || s.Items == 0 && chunks != 0:
		return fmt.Errorf("check snapshot: %w: %d items of %d in %d pieces", ErrPayload, s.Items, s.Seq, chunks)
	case s.Bytes < 0 || s.Bytes > int64(s.Pieces)*MaxPiece || s.Key == "" || len(s.Key) > MaxKid || len(s.Sealed) > 256:
		return fmt.Errorf("check snapshot: %w: size or key", ErrPayload)
	}
	return nil
}

// Check holds a request to its form.
func (f Fetch) Check() error {
	if id, err := hex.DecodeString(f.ID); err != nil || len(id) != 16 || f.From < 0 || f.N < 1 || f.N > MaxFetch {
		return fmt.Errorf("check fetch: %w: %d pieces from %d", ErrPayload, f.N, f.From)
	}
	return nil
}

// pages is how many pages hold the hashes of so many pieces.
func pages(chunks int) int { return (chunks + PieceHashes - 1) / PieceHashes }

// SnapshotPages makes the pages of the hashes of all pieces that are not pages.
func SnapshotPages(hashes []Hash) [][]byte {
	out := make([][]byte, 0, pages(len(hashes)))
	for len(hashes) > 0 {
		n := min(len(hashes), PieceHashes)
		var page []byte
		for _, h := range hashes[:n] {
			page = append(page, h[:]...)
		}
		out, hashes = append(out, page), hashes[n:]
	}
	return out
}

// PageHashes reads page n of the snapshot's index, which must have the hash
// that the manifest names.
func (s Snapshot) PageHashes(n int, page []byte) ([]Hash, error) {
	want := min(PieceHashes, s.Pieces-len(s.Index)-n*PieceHashes)
	if n < 0 || n >= len(s.Index) || HashOf(page) != s.Index[n] || len(page) != want*len(Hash{}) {
		return nil, fmt.Errorf("read snapshot's page %d: %w", n, ErrPiece)
	}
	out := make([]Hash, want)
	for i := range out {
		copy(out[i][:], page[i*len(Hash{}):])
	}
	return out, nil
}

// ErrPiece means that a piece is not the one that the manifest names.
var ErrPiece = fmt.Errorf("%w: piece of a snapshot is another than its manifest names", ErrPayload)

func (s Snapshot) keyAAD() []byte {
	b := append([]byte("bordergate/1 snapshot key "), s.ID...)
	b = append(append(b, 0), s.Key...)
	b = binary.BigEndian.AppendUint64(append(b, 0), s.Epoch)
	return binary.BigEndian.AppendUint64(b, s.Seq)
}

// SealKey puts the snapshot's key into the manifest, under the group key kid.
func (s *Snapshot) SealKey(kid string, group, key [32]byte) error {
	s.Key = kid
	var err error
	if s.Sealed, err = seal(group, s.keyAAD(), key[:]); err != nil {
		return fmt.Errorf("seal snapshot key: %w", err)
	}
	return nil
}

// OpenKey gives the snapshot's key.
func (s Snapshot) OpenKey(group [32]byte) (key [32]byte, err error) {
	b, err := open(group, s.keyAAD(), s.Sealed)
	if err != nil {
		return key, fmt.Errorf("open snapshot key: %w", err)
	}
	if len(b) != len(key) {
		return key, fmt.Errorf("open snapshot key: %w: %d bytes", ErrPayload, len(b))
	}
	copy(key[:], b)
	return key, nil
}

func pieceAAD(id string, n int) []byte {
	b := append([]byte("bordergate/1 snapshot "), id...)
	return binary.BigEndian.AppendUint64(append(b, 0), uint64(n))
}

// AppendItem adds a change, as HQ wrote it, to a piece's items.
func AppendItem(items, raw []byte) []byte {
	return append(binary.AppendUvarint(items, uint64(len(raw))), raw...)
}

// SealPiece seals items as piece n of snapshot id.
func SealPiece(id string, n int, items []byte, key [32]byte) ([]byte, error) {
	if len(items) > MaxPieceItems {
		return nil, fmt.Errorf("seal piece of %d bytes: %w", len(items), ErrTooLarge)
	}
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		return nil, fmt.Errorf("seal piece: %w", err)
	}
	_, _ = w.Write(items) // into memory
	_ = w.Close()
	out, err := seal(key, pieceAAD(id, n), b.Bytes())
	if err != nil {
		return nil, fmt.Errorf("seal piece: %w", err)
	}
	return out, nil
}

// OpenPiece gives the items of piece n of snapshot id. It does not look into
// them.
func OpenPiece(id string, n int, sealed []byte, key [32]byte) ([][]byte, error) {
	packed, err := open(key, pieceAAD(id, n), sealed)
	if err != nil {
		return nil, fmt.Errorf("open piece: %w", err)
	}
	plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), MaxPieceItems+1))
	if err != nil || len(plain) > MaxPieceItems {
		return nil, fmt.Errorf("open piece: %w", ErrPayload)
	}
	var out [][]byte
	for len(plain) > 0 {
		size, k := binary.Uvarint(plain)
		if k <= 0 || size == 0 || size > uint64(len(plain)-k) {
			return nil, fmt.Errorf("open piece: %w: item %d", ErrPayload, len(out))
		}
		out, plain = append(out, plain[k:k+int(size)]), plain[k+int(size):]
	}
	return out, nil
}

// Slot says what a change leaves no older one of: of two changes with one slot
// only the later counts. Empty: every change counts. So an account is its last
// put and its last status, and a pass its last revocation and its last stamp.
func (c Change) Slot() string {
	switch c.Op {
	case OpPut, OpStatus:
		return c.Op + "\x00" + c.Account
	case OpRevoke, OpStamp:
		return c.Op + "\x00" + c.Pass
	case OpOrganisation:
		return c.Op + "\x00" + c.Organisation
	case OpWatch:
		return c.Op + "\x00" + string(c.Mark)
	case OpWatchKey:
		return c.Op
	}
	return ""
}
