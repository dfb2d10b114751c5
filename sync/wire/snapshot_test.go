package wire

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

var testSnapshotID = strings.Repeat("0a", 16)

// testSnapshot is a manifest of so many chunks, with their hashes.
func testSnapshot(chunks int) (Snapshot, []Hash) {
	hashes := make([]Hash, chunks)
	for i := range hashes {
		hashes[i] = HashOf([]byte{byte(i), byte(i >> 8)})
	}
	s := Snapshot{
		ID: testSnapshotID, Epoch: 7, Seq: 1 << 20, Made: 1, Items: uint64(chunks), Bytes: int64(chunks), Key: "g1",
	}
	for _, p := range SnapshotPages(hashes) {
		s.Index = append(s.Index, HashOf(p))
	}
	s.Pieces = chunks + len(s.Index)
	return s, hashes
}

func TestPagesVouchForEveryPiece(t *testing.T) {
	for _, n := range []int{0, 1, PieceHashes, PieceHashes + 1, 3 * PieceHashes} {
		s, hashes := testSnapshot(n)
		if err := s.Check(); err != nil {
			t.Fatalf("%d pieces: %v", n, err)
		}
		var got []Hash
		for i, page := range SnapshotPages(hashes) {
			h, err := s.PageHashes(i, page)
			if err != nil {
				t.Fatalf("%d pieces: %v", n, err)
			}
			got = append(got, h...)
			page[0] ^= 1
			if _, err := s.PageHashes(i, page); !errors.Is(err, ErrPiece) {
				t.Fatalf("a changed page: %v", err)
			}
		}
		if !slices.Equal(got, hashes) {
			t.Fatalf("%d pieces: other hashes come back", n)
		}
		if _, err := s.PageHashes(len(s.Index), nil); !errors.Is(err, ErrPiece) {
			t.Fatalf("a page too many: %v", err)
		}
	}
}

func TestSnapshotCheck(t *testing.T) {
	for name, change := range map[string]func(*Snapshot){
		"id":            func(s *Snapshot) { s.ID = "x" },
		"epoch":         func(s *Snapshot) { s.Epoch = 0 },
		"time":          func(s *Snapshot) { s.Made = 0 },
		"missing page":  func(s *Snapshot) { s.Index = nil },
		"more pages":    func(s *Snapshot) { s.Index = append(s.Index, Hash{}); s.Pieces++ },
		"negative":      func(s *Snapshot) { s.Pieces = -1 },
		"huge":          func(s *Snapshot) { s.Pieces = 1 << 40 },
		"items":         func(s *Snapshot) { s.Items = s.Seq + 1 },
		"nothing in it": func(s *Snapshot) { s.Items = 0 },
		"bytes":         func(s *Snapshot) { s.Bytes = 1 << 40 },
		"key":           func(s *Snapshot) { s.Key = "" },
	} {
		s, _ := testSnapshot(10)
		change(&s)
		if err := s.Check(); !errors.Is(err, ErrPayload) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, w := range []Fetch{{}, {ID: testSnapshotID}, {ID: testSnapshotID, N: MaxFetch + 1}, {ID: testSnapshotID, N: 1, From: -1}, {ID: "zz", N: 1}} {
		if err := w.Check(); !errors.Is(err, ErrPayload) {
			t.Errorf("%+v: %v", w, err)
		}
	}
}

func TestSnapshotKeyIsBoundToItsManifest(t *testing.T) {
	s, _ := testSnapshot(1)
	group, key := [32]byte{1}, [32]byte{2}
	if err := s.SealKey("g2", group, key); err != nil {
		t.Fatal(err)
	}
	if got, err := s.OpenKey(group); err != nil || got != key {
		t.Fatalf("%v, %v", got, err)
	}
	if _, err := s.OpenKey([32]byte{9}); !errors.Is(err, ErrSealed) {
		t.Errorf("another group key: %v", err)
	}
	s.Seq++
	if _, err := s.OpenKey(group); !errors.Is(err, ErrSealed) {
		t.Errorf("another place: %v", err)
	}
}

func TestPieceKeepsItsItemsAndItsPlace(t *testing.T) {
	var items []byte
	want := [][]byte{[]byte("one"), bytes.Repeat([]byte("two"), 1000), {0}}
	for _, raw := range want {
		items = AppendItem(items, raw)
	}
	key := [32]byte{4}
	b, err := SealPiece(testSnapshotID, 3, items, key)
	if err != nil {
		t.Fatal(err)
	}
	got, err := OpenPiece(testSnapshotID, 3, b, key)
	if err != nil || !slices.EqualFunc(got, want, bytes.Equal) {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := OpenPiece(testSnapshotID, 4, b, key); !errors.Is(err, ErrSealed) {
		t.Errorf("in another place: %v", err)
	}
	if _, err := SealPiece(testSnapshotID, 0, make([]byte, MaxPieceItems+1), key); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

// TestLargestPieceFitsAMessage seals what does not compress.
func TestLargestPieceFitsAMessage(t *testing.T) {
	items, x := make([]byte, MaxPieceItems), uint32(1)
	for i := range items {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		items[i] = byte(x)
	}
	b, err := SealPiece(testSnapshotID, 1, items, [32]byte{})
	if err != nil || len(b) > MaxPiece {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	topic := Down(strings.Repeat("g", 40), TypePiece)
	if _, err := Sign(testSigner("snapshot-1", RoleSnapshot), Header{Typ: TypePiece, Ver: 1, To: strings.Repeat("g", 40), Topic: topic}, make([]byte, MaxPiece)); err != nil {
		t.Fatal(err)
	}
}

// FuzzSnapshot reads a manifest; what passes is bounded.
func FuzzSnapshot(f *testing.F) {
	f.Add([]byte(`{"id":"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a","epoch":1,"seq":9,"made":1,"items":1,"pieces":2,"index":["` + strings.Repeat("00", 32) + `"],"key":"g"}`))
	f.Add([]byte(`{"id":"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a","epoch":1,"made":1,"key":"g"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := Decode[Snapshot](in)
		if err != nil || s.Check() != nil {
			return
		}
		if s.Pieces < len(s.Index) || s.Pieces > MaxIndex*(PieceHashes+1) || s.Items > s.Seq {
			t.Fatalf("accepted %+v", s)
		}
		for i := range s.Index {
			if _, err := s.PageHashes(i, in); err == nil {
				t.Fatal("a page that is none was accepted")
			}
		}
		_, _ = s.OpenKey([32]byte{})
	})
}

// FuzzPiece opens whatever stands under the right key.
func FuzzPiece(f *testing.F) {
	key := [32]byte{5}
	b, err := SealPiece(testSnapshotID, 0, AppendItem(AppendItem(nil, []byte("a")), []byte("bc")), key)
	if err != nil {
		f.Fatal(err)
	}
	packed, err := open(key, pieceAAD(testSnapshotID, 0), b)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Add([]byte{3, 0})
	f.Fuzz(func(t *testing.T, packed []byte) {
		b, err := seal(key, pieceAAD(testSnapshotID, 0), packed)
		if err != nil {
			t.Fatal(err)
		}
		items, err := OpenPiece(testSnapshotID, 0, b, key)
		if err != nil {
			return
		}
		n := 0
		for _, raw := range items {
			if n += len(raw); len(raw) == 0 || n > MaxPieceItems {
				t.Fatalf("%d bytes of items", n)
			}
		}
	})
}
