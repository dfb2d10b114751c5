package journal

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"bordergate/sync/wire"
)

func TestOpenNeverMakesANewFileForABadOne(t *testing.T) {
	cases := map[string]func(path string) error{
		"empty":      func(p string) error { return os.Truncate(p, 0) },
		"short":      func(p string) error { return os.Truncate(p, 100) },
		"half":       halve,
		"no journal": func(p string) error { return os.WriteFile(p, bytes.Repeat([]byte("no "), 20000), 0o600) },
		"zeros":      func(p string) error { return os.WriteFile(p, make([]byte, 1<<16), 0o600) },
		"a folder":   func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o700)) },
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			o := testOptions(t)
			j := openJournal(t, o)
			appendN(t, j, 200)
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			if err := spoil(o.Path); err != nil {
				t.Fatal(err)
			}
			if j, err := Open(o); !errors.Is(err, ErrDamaged) {
				t.Errorf("got %v, want ErrDamaged", err)
				if err == nil {
					j.Close()
				}
			}
		})
	}
}

// halve cuts off the second half of the pages in use.
func halve(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.Truncate(path, int64(len(bytes.TrimRight(b, "\x00"))/2/4096*4096))
}

func TestOpenMissing(t *testing.T) {
	o := testOptions(t)
	o.MustExist = true
	if _, err := Open(o); !errors.Is(err, ErrMissing) {
		t.Errorf("got %v, want ErrMissing", err)
	}
	if _, err := OpenReadOnly(o.Path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading gives %v", err)
	}
	if _, err := os.Stat(o.Path); err == nil {
		t.Error("a file was made")
	}
	o.MustExist = false
	if err := os.WriteFile(o.Path+".tmp", []byte("cut short"), 0o600); err != nil {
		t.Fatal(err)
	}
	first := openJournal(t, o).Epoch()
	other := testOptions(t)
	if second := openJournal(t, other).Epoch(); first == second || first == 0 || first >= 1<<53 {
		t.Errorf("epochs %d and %d", first, second)
	}
}

func TestOpenOthersFiles(t *testing.T) {
	o := testOptions(t)
	j := openJournal(t, o)
	if _, err := Open(o); !errors.Is(err, ErrLocked) {
		t.Errorf("a second writer gets %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	o.Gate = "lane-2"
	if _, err := Open(o); !errors.Is(err, ErrGate) {
		t.Errorf("another gate gets %v", err)
	}
}

// tamper changes the file behind the journal's back, as somebody with access
// to the disk would.
func tamper(t *testing.T, path string, fn func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(fn), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestVerifyFindsTampering(t *testing.T) {
	crossing := recordsOf(wire.StreamCrossing)
	rewrite := func(seq uint64, change func(*wire.Record)) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			b := tx.Bucket(crossing)
			r, err := wire.DecodeRecord(bytes.Clone(b.Get(u64(seq))))
			if err != nil {
				return err
			}
			change(&r)
			text, err := r.Encode()
			return errors.Join(err, b.Put(u64(seq), text))
		}
	}
	cases := map[string]struct {
		do  func(*bbolt.Tx) error
		seq uint64 // of the first finding
	}{
		"flipped byte": {func(tx *bbolt.Tx) error {
			v := bytes.Clone(tx.Bucket(crossing).Get(u64(5)))
			v[50] ^= 1
			return tx.Bucket(crossing).Put(u64(5), v)
		}, 5},
		"outcome rewritten": {rewrite(5, func(r *wire.Record) { r.Public = []byte(`{"outcome":"refused"}`) }), 6},
		"mark removed":      {rewrite(5, func(r *wire.Record) { r.Trust = 0 }), 6},
		"of another gate":   {rewrite(5, func(r *wire.Record) { r.Gate = "lane-9" }), 5},
		"exchanged": {func(tx *bbolt.Tx) error {
			b := tx.Bucket(crossing)
			x, y := bytes.Clone(b.Get(u64(5))), bytes.Clone(b.Get(u64(6)))
			return errors.Join(b.Put(u64(5), y), b.Put(u64(6), x))
		}, 5},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := testOptions(t)
			j := openJournal(t, o)
			appendN(t, j, 10)
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			tamper(t, o.Path, c.do)
			if _, err := Open(o); !errors.Is(err, ErrDamaged) {
				t.Errorf("opening for writing gives %v", err)
			}
			r, err := OpenReadOnly(o.Path)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			rep, err := r.Check(t.Context())
			if err != nil || rep.OK || !errors.Is(rep.Err(), ErrDamaged) {
				t.Fatalf("report %+v, %v", rep, err)
			}
			if f := rep.Streams[0].Findings; len(f) == 0 || f[0].Seq != c.seq {
				t.Errorf("findings %+v, want the first at %d", f, c.seq)
			}
		})
	}
}

func TestOpenFindsLostRecords(t *testing.T) {
	for name, seq := range map[string]uint64{"first": 1, "middle": 5} {
		t.Run(name, func(t *testing.T) {
			o := testOptions(t)
			j := openJournal(t, o)
			appendN(t, j, 10)
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			tamper(t, o.Path, func(tx *bbolt.Tx) error { return tx.Bucket(recordsOf(wire.StreamCrossing)).Delete(u64(seq)) })
			if _, err := Open(o); !errors.Is(err, ErrDamaged) {
				t.Errorf("writing: %v", err)
			}
			if _, err := OpenReadOnly(o.Path); !errors.Is(err, ErrDamaged) {
				t.Errorf("reading: %v", err)
			}
		})
	}
}

// TestEarlierFileIsHeadquartersToFind: a whole file of yesterday put back in
// today's place is in order in itself; the acknowledgement tells.
func TestEarlierFileIsHeadquartersToFind(t *testing.T) {
	o := testOptions(t)
	j := openJournal(t, o)
	appendN(t, j, 9)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	yesterday, err := os.ReadFile(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	j = openJournal(t, o)
	appendN(t, j, 1)
	a := ackFor(t, j, 10)
	if err := errors.Join(j.Close(), os.WriteFile(o.Path, yesterday, 0o600)); err != nil {
		t.Fatal(err)
	}
	j = openJournal(t, o)
	if err := j.Acknowledge(a); !errors.Is(err, ErrAckAhead) {
		t.Errorf("the record is missing: %v", err)
	}
	d := draft(77)
	if _, err := j.Append(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if err := j.Acknowledge(a); !errors.Is(err, ErrChainMismatch) {
		t.Errorf("another has its number: %v", err)
	}
}

// TestRandomDamage flips and zeroes pages at random. Whatever comes of it, the
// process lives and nobody gets a new journal.
func TestRandomDamage(t *testing.T) {
	o := testOptions(t)
	j := openJournal(t, o)
	appendN(t, j, 300)
	epoch := j.Epoch()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	used := bytes.TrimRight(good, "\x00")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for range 150 {
		b := bytes.Clone(good)
		switch at := rnd.IntN(len(used)); rnd.IntN(3) {
		case 0:
			b[at] ^= 1 << rnd.IntN(8)
		case 1:
			clear(b[at/512*512 : min(len(b), at/512*512+512)])
		case 2:
			copy(b[at/4096*4096:], good[rnd.IntN(len(used))/4096*4096:][:4096])
		}
		if err := errors.Join(os.WriteFile(o.Path, b[:len(used)], 0o600), os.Truncate(o.Path, int64(len(b)))); err != nil {
			t.Fatal(err)
		}
		j, err := Open(o)
		if err != nil {
			continue
		}
		if j.Epoch() != epoch {
			// Without a checksum of its own the epoch may differ, but then no
			// record belongs to it.
			if j.Verify() == nil {
				t.Error("a damaged journal passes under another epoch")
			}
		}
		_, err = j.Append(t.Context(), draft(1))
		if err != nil && !errors.Is(err, ErrFault) {
			t.Errorf("append: %v", err)
		}
		j.Close()
	}
}

func FuzzScan(f *testing.F) {
	path := f.TempDir() + "/journal.db"
	if err := (&Options{Path: path, Gate: "lane-1"}).create(); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, uint16(0), []byte{})
	f.Add(b, uint16(3*4096), []byte{1, 2, 3, 4, 5, 6, 7, 8, 1})
	f.Fuzz(func(t *testing.T, b []byte, at uint16, patch []byte) {
		b = bytes.Clone(b)
		copy(b[min(len(b), int(at)):], patch)
		if err := scan(bytes.NewReader(b), int64(len(b))); err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatalf("got %v", err)
		}
	})
}

func TestErrorsHoldNoPersonalData(t *testing.T) {
	j := openJournal(t, testOptions(t))
	d := draft(1)
	d.Personal, d.Class = []byte("NGUYEN VAN A"), 99
	_, err := j.Append(t.Context(), d)
	if err == nil || strings.Contains(err.Error(), "NGUYEN") {
		t.Errorf("error text: %v", err)
	}
}
