package journal

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

func testOptions(t *testing.T) Options {
	t.Helper()
	dir := t.TempDir()
	v, err := vault.Open(filepath.Join(dir, "vault"), [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Path: filepath.Join(dir, "journal.db"), Gate: "lane-1", Vault: v, Boot: [16]byte{7}, Signer: gateKey(1),
		MaxBytes: 64 << 20, LockTimeout: time.Millisecond,
	}
}

// gateKey is a gate's signing key, another for every n.
func gateKey(n byte) wire.Signer {
	return wire.Signer{Kid: fmt.Sprintf("lane-1-%d", n), Role: wire.RoleGate, Key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))}
}

// openJournal opens a journal whose consistency is checked when the test ends.
func openJournal(t *testing.T, o Options) *Journal {
	t.Helper()
	j, err := Open(o)
	if err != nil {
		t.Fatalf("open journal: %v", err)
	}
	t.Cleanup(func() {
		if j.sendable() {
			if err := j.Verify(); err != nil {
				t.Errorf("at the end: %v", err)
			}
		}
		j.Close()
	})
	return j
}

func (j *Journal) sendable() bool {
	j.sending.RLock()
	defer j.sending.RUnlock()
	return !j.closed
}

func draft(i int) Draft {
	return Draft{
		Stream: wire.StreamCrossing, Kind: "decision", Tx: [16]byte{byte(i), byte(i >> 8)},
		Public: map[string]int{"i": i}, Personal: fmt.Appendf(nil, `{"person":%d}`, i), Class: vault.ClassCrossing,
		Mono: int64(i) + 1, Wall: time.Date(2026, 9, 21, 12, 0, 0, i, time.UTC).UnixNano(), Trust: 1,
	}
}

func appendN(t *testing.T, j *Journal, n int) []Position {
	t.Helper()
	out := make([]Position, n)
	for i := range n {
		pos, err := j.Append(t.Context(), draft(i))
		if err != nil {
			t.Fatalf("append %d: %v", i, err)
		}
		out[i] = pos
	}
	return out
}

func reopen(t *testing.T, j *Journal, o Options) *Journal {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	return openJournal(t, o)
}

func TestAppendGivesEachItsPlace(t *testing.T) {
	o := testOptions(t)
	o.Simulated = true
	j := openJournal(t, o)
	all := appendN(t, j, 5)
	j = reopen(t, j, o)
	all = append(all, appendN(t, j, 1)...)
	raws, err := j.Read(wire.StreamCrossing, 1, 100)
	if err != nil || len(raws) != 6 {
		t.Fatalf("%d records, %v", len(raws), err)
	}
	prev := wire.Hash{}
	for i, raw := range raws {
		want := Position{Epoch: j.Epoch(), Stream: wire.StreamCrossing, Seq: uint64(i + 1), Hash: wire.HashOf(raw.Bytes)}
		if all[i] != want {
			t.Errorf("position %+v, want %+v", all[i], want)
		}
		rec, err := wire.DecodeRecord(raw.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if rec.Prev != prev || rec.Gate != "lane-1" || rec.Boot != o.Boot || !rec.Simulated || rec.Day != 20717 {
			t.Errorf("record %d: %+v", i, rec)
		}
		if bytes.Contains(raw.Bytes, []byte("person")) {
			t.Error("the personal part is in clear")
		}
		plain, err := Personal(&rec, o.Vault.(*vault.Vault).Open)
		if err != nil || (i < 5 && string(plain) != fmt.Sprintf(`{"person":%d}`, i)) {
			t.Errorf("personal part of %d: %q, %v", i, plain, err)
		}
		prev = want.Hash
	}
}

func TestStreamsHaveOwnSequences(t *testing.T) {
	j := openJournal(t, testOptions(t))
	for _, s := range wire.Streams() {
		for i := range 3 {
			d := draft(i)
			d.Stream = s
			pos, err := j.Append(t.Context(), d)
			if err != nil || pos.Seq != uint64(i+1) {
				t.Fatalf("%s: %+v, %v", s, pos, err)
			}
		}
	}
	for i, r := range j.Ranges() {
		want := Range{Stream: wire.Streams()[i], Name: wire.Streams()[i].String(), First: 1, Next: 4}
		if r != want {
			t.Errorf("range %+v, want %+v", r, want)
		}
	}
}

func TestAppendRefusesDrafts(t *testing.T) {
	o := testOptions(t)
	j := openJournal(t, o)
	cases := map[string]func(*Draft){
		"no stream":      func(d *Draft) { d.Stream = 0 },
		"unknown stream": func(d *Draft) { d.Stream = 99 },
		"no kind":        func(d *Draft) { d.Kind = "" },
		"kind in words":  func(d *Draft) { d.Kind = "Big Decision" },
		"no class":       func(d *Draft) { d.Class = 0 },
		"too large":      func(d *Draft) { d.Personal = make([]byte, MaxPersonal+1) },
		"public large":   func(d *Draft) { d.Public = make([]byte, wire.MaxPublic) },
		"public no json": func(d *Draft) { d.Public = make(chan int) },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			d := draft(1)
			change(&d)
			if _, err := j.Append(t.Context(), d); !errors.Is(err, ErrDraft) {
				t.Errorf("append: %v, want ErrDraft", err)
			}
			if err := j.AppendAsync(d, func(Position, error) { t.Error("called") }); !errors.Is(err, ErrDraft) {
				t.Errorf("async: %v, want ErrDraft", err)
			}
		})
	}
	// A class the vault does not know is refused by it, alone.
	d := draft(1)
	d.Class = 200
	if _, err := j.Append(t.Context(), d); !errors.Is(err, vault.ErrClass) {
		t.Errorf("unknown class: %v", err)
	}
	if pos := appendN(t, j, 1)[0]; pos.Seq != 1 {
		t.Errorf("refused drafts took %d numbers", pos.Seq-1)
	}
}

func TestLargestRecordFitsOneMessage(t *testing.T) {
	j := openJournal(t, testOptions(t))
	d := Draft{Stream: wire.StreamImage, Kind: "image", Public: json.RawMessage(`"` + strings.Repeat("x", wire.MaxPublic-2) + `"`), Personal: make([]byte, MaxPersonal), Class: vault.ClassImage}
	if _, err := j.Append(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	raws, err := j.Read(wire.StreamImage, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(raws[0].Bytes) * 16 / 9; n > wire.MaxMessage-4096 {
		t.Errorf("in a signed message it takes %d bytes of %d", n, wire.MaxMessage)
	}
}

func TestConcurrentAppends(t *testing.T) {
	j := openJournal(t, testOptions(t))
	const each, callers = 50, 8
	var wg sync.WaitGroup
	var mu sync.Mutex
	var seqs []uint64
	for range callers {
		wg.Go(func() {
			for i := range each {
				changed := j.Changed()
				pos, err := j.Append(t.Context(), draft(i))
				if err != nil {
					t.Errorf("append: %v", err)
					return
				}
				<-changed
				// Durable means readable, at once.
				if raws, err := j.Read(wire.StreamCrossing, pos.Seq, 1); err != nil || wire.HashOf(raws[0].Bytes) != pos.Hash {
					t.Errorf("record %d reads back wrong: %v", pos.Seq, err)
				}
				mu.Lock()
				seqs = append(seqs, pos.Seq)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(seqs)
	for i, s := range seqs {
		if s != uint64(i+1) {
			t.Fatalf("sequence %d at place %d", s, i+1)
		}
	}
}

func TestAppendAsyncIsBounded(t *testing.T) {
	o := testOptions(t)
	o.Queue = 2
	j := openJournal(t, o)
	hold, entered := make(chan struct{}), make(chan struct{}, 10)
	update := j.update
	j.update = func(fn func(*bbolt.Tx) error) error {
		entered <- struct{}{}
		<-hold
		return update(fn)
	}
	done := make(chan Position, 10)
	push := func(i int) error {
		return j.AppendAsync(draft(i), func(p Position, err error) {
			if err != nil {
				t.Errorf("append %d: %v", i, err)
			}
			done <- p
		})
	}
	if err := push(0); err != nil {
		t.Fatal(err)
	}
	<-entered // the writer is busy from here on
	for i := 1; i <= 2; i++ {
		if err := push(i); err != nil {
			t.Fatal(err)
		}
	}
	if err := push(3); !errors.Is(err, ErrBusy) {
		t.Errorf("a full queue gives %v", err)
	}
	// A caller that gives up waiting for room.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := j.Append(ctx, draft(4)); !errors.Is(err, context.Canceled) {
		t.Errorf("append gives %v", err)
	}
	if r := j.Ranges()[0]; r.Next != 1 {
		t.Error("a record is visible before it is durable")
	}
	close(hold)
	for want := uint64(1); want <= 3; want++ {
		if p := <-done; p.Seq != want {
			t.Errorf("answered %d, want %d", p.Seq, want)
		}
	}
}

func TestCloseRacesEverything(t *testing.T) {
	for range 5 {
		o := testOptions(t)
		j := openJournal(t, o)
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range 6 {
			wg.Go(func() {
				<-start
				for k := range 30 {
					d := draft(k)
					d.Personal = nil
					_, err1 := j.Append(t.Context(), d)
					err2 := j.Advance("fact", uint64(k*10+i))
					_, err3 := j.Read(wire.StreamCrossing, 1, 3)
					for _, err := range []error{err1, err2} {
						if err != nil && !errors.Is(err, ErrClosed) {
							t.Errorf("got %v", err)
						}
					}
					_ = err3 // the file may be closed
				}
			})
		}
		wg.Go(func() { <-start; j.Close() })
		close(start)
		wg.Wait()
		if _, err := j.Append(t.Context(), draft(0)); !errors.Is(err, ErrClosed) {
			t.Errorf("append after close gives %v", err)
		}
		if err := j.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
		if err := reopen(t, j, o).Verify(); err != nil {
			t.Error(err)
		}
	}
}

func TestFailedWriteIsForEver(t *testing.T) {
	o := testOptions(t)
	j := openJournal(t, o)
	appendN(t, j, 2)
	lost, update := errors.New("input/output error"), j.update
	fail := true
	j.update = func(fn func(*bbolt.Tx) error) error {
		if fail {
			fail = false
			return lost
		}
		return update(fn)
	}
	if _, err := j.Append(t.Context(), draft(2)); !errors.Is(err, ErrFault) || !errors.Is(err, lost) {
		t.Errorf("failed write gives %v", err)
	}
	// The disk works again, but nobody knows what it holds.
	if _, err := j.Append(t.Context(), draft(3)); !errors.Is(err, ErrFault) {
		t.Errorf("the next append gives %v", err)
	}
	for name, err := range map[string]error{
		"advance": j.Advance("x", 1), "blob": j.PutBlob("x", nil), "state": j.Err(),
		"acknowledge": j.Acknowledge(ackFor(t, j, 1)),
	} {
		if !errors.Is(err, ErrFault) {
			t.Errorf("%s gives %v", name, err)
		}
	}
	if raws, err := j.Read(wire.StreamCrossing, 1, 10); err != nil || len(raws) != 2 {
		t.Errorf("reading gives %d, %v", len(raws), err)
	}
	if pos := appendN(t, reopen(t, j, o), 1)[0]; pos.Seq != 3 {
		t.Errorf("after opening anew the next is %d", pos.Seq)
	}
}

func TestPanicWhileWritingIsAFault(t *testing.T) {
	j := openJournal(t, testOptions(t))
	j.update = func(func(*bbolt.Tx) error) error { panic("bad page") }
	if _, err := j.Append(t.Context(), draft(0)); !errors.Is(err, ErrFault) || !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
}

func TestFullLosesNothing(t *testing.T) {
	o := testOptions(t)
	o.MaxBytes, o.Budgets = 33<<20, map[wire.Stream]int64{wire.StreamImage: 1 << 30}
	j := openJournal(t, o)
	d := Draft{Stream: wire.StreamImage, Kind: "image", Personal: make([]byte, 90<<10), Class: vault.ClassImage}
	n, full := uint64(0), false
	for range 600 {
		_, err := j.Append(t.Context(), d)
		if errors.Is(err, ErrFull) {
			full = true
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if !full {
		t.Fatal("54 MB went into 33")
	}
	st, err := os.Stat(o.Path)
	if err != nil || st.Size() > o.MaxBytes+growStep {
		t.Errorf("the file has %d bytes of %d, %v", st.Size(), o.MaxBytes, err)
	}
	used, limit := j.Usage()
	if limit != o.MaxBytes || used < limit/4 || used > limit {
		t.Errorf("usage %d of %d", used, limit)
	}
	if err := j.Verify(); err != nil {
		t.Error(err)
	}
	if r := j.Ranges()[3]; r.Next != n+1 {
		t.Errorf("%d records written, %d there", n, r.Next-1)
	}
	// Headquarters has them; what is deleted makes room.
	raw, err := j.Tail(wire.StreamImage, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Acknowledge(wire.Ack{Stream: "image", Epoch: j.Epoch(), Cum: n, Hash: wire.HashOf(raw[0].Bytes)}); err != nil {
		t.Fatalf("acknowledge when full: %v", err)
	}
	if err := j.Prune(t.Context(), wire.StreamImage, n-1); err != nil {
		t.Fatalf("prune when full: %v", err)
	}
	for range 20 {
		if _, err := j.Append(t.Context(), d); err != nil {
			t.Fatalf("after making room: %v", err)
		}
	}
}

func TestClockFallsBackOnDestroyedDay(t *testing.T) {
	o := testOptions(t)
	v := o.Vault.(*vault.Vault)
	j := openJournal(t, o)
	old := draft(0)
	old.Wall = 0 + int64(time.Hour) // day 0
	if _, err := j.Append(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	appendN(t, j, 1)
	if _, err := v.Destroy(vault.ClassCrossing, 0); err != nil {
		t.Fatal(err)
	}
	j = reopen(t, j, o)
	pos, err := j.Append(t.Context(), old)
	if err != nil {
		t.Fatalf("the gate stops for its clock: %v", err)
	}
	raws, err := j.Read(wire.StreamCrossing, pos.Seq, 1)
	if err != nil {
		t.Fatal(err)
	}
	if rec, _ := wire.DecodeRecord(raws[0].Bytes); rec.Day != 20717 {
		t.Errorf("sealed under day %d", rec.Day)
	}
}

func TestDestroyedDayStillVerifies(t *testing.T) {
	o := testOptions(t)
	v := o.Vault.(*vault.Vault)
	j := openJournal(t, o)
	appendN(t, j, 3)
	if _, err := v.Destroy(vault.ClassCrossing, 20717); err != nil {
		t.Fatal(err)
	}
	if err := j.Verify(); err != nil {
		t.Error(err)
	}
	raws, err := j.Read(wire.StreamCrossing, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewLine(raws[0], v.Open)
	if err != nil || l.State != PersonalDestroyed || l.Personal != nil {
		t.Errorf("line %+v, %v", l, err)
	}
}

func TestFacts(t *testing.T) {
	o := testOptions(t)
	j := openJournal(t, o)
	for _, v := range []uint64{5, 3, 5, 9, 1} {
		if err := j.Advance("head", v); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.PutBlob("b", []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := j.PutBlob("b", []byte("two")); err != nil {
		t.Fatal(err)
	}
	for name, j := range map[string]*Journal{"same": j, "reopened": reopen(t, j, o)} {
		if got := j.Fact("head"); got != 9 {
			t.Errorf("%s: fact is %d", name, got)
		}
		if got := j.Fact("other"); got != 0 {
			t.Errorf("%s: unknown fact is %d", name, got)
		}
		if name == "same" {
			continue
		}
		if b, err := j.Blob("b"); err != nil || string(b) != "two" {
			t.Errorf("blob %q, %v", b, err)
		}
		if b, err := j.Blob("none"); err != nil || b != nil {
			t.Errorf("no blob: %q, %v", b, err)
		}
	}
}

func TestFactsAreBounded(t *testing.T) {
	j := openJournal(t, testOptions(t))
	for i := range maxFacts {
		if err := j.Advance(fmt.Sprint("f", i), 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Advance("one more", 1); !errors.Is(err, ErrDraft) {
		t.Errorf("got %v", err)
	}
	if err := j.Advance("f1", 2); err != nil {
		t.Errorf("a known fact: %v", err)
	}
	appendN(t, j, 1) // a refusal is no fault
}
