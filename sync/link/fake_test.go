package link

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"bordergate/sync/wire"
)

const testGate = "lane-1"

func testSigner(kid string, role wire.Role) wire.Signer {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, kid)
	return wire.Signer{Kid: kid, Role: role, Key: ed25519.NewKeyFromSeed(seed)}
}

// fakeHQ signs as headquarters does.
type fakeHQ struct {
	t     *testing.T
	roles map[wire.Role]wire.Signer
	ring  *wire.Keyring
	seal  hpke.PrivateKey
	group [32]byte
	epoch uint64
	seq   uint64
	hash  wire.Hash
	acks  int
}

func newFakeHQ(t *testing.T) *fakeHQ {
	t.Helper()
	h := &fakeHQ{t: t, roles: make(map[wire.Role]wire.Signer), group: [32]byte{5}, epoch: 7}
	var keys []wire.PublicKey
	for _, r := range wire.OnlineRoles() {
		h.roles[r] = testSigner(string(r), r)
		keys = append(keys, h.roles[r].Public())
	}
	var err error
	if h.ring, err = wire.NewKeyring(keys...); err != nil {
		t.Fatal(err)
	}
	if h.seal, err = wire.NewSealKey(); err != nil {
		t.Fatal(err)
	}
	return h
}

// message is what a session would receive. Change alters the header before it
// is signed.
func (h *fakeHQ) message(role wire.Role, typ, topic, to string, v any, change ...func(*wire.Header)) Message {
	h.t.Helper()
	head := wire.Header{Typ: typ, Ver: 1, To: to, Topic: topic}
	for _, c := range change {
		c(&head)
	}
	b, err := wire.SignJSON(h.roles[role], head, v)
	if err != nil {
		h.t.Fatal(err)
	}
	return Message{Kind: Received, Topic: topic, Payload: b, Ack: func() { h.acks++ }}
}

func (h *fakeHQ) state(session string, online bool) Message {
	return h.message(wire.RoleHead, wire.TypeHQ, wire.TopicHQ, wire.ToAll, wire.HQState{Online: online, Session: session})
}

func (h *fakeHQ) ack(a wire.Ack) Message {
	s, err := wire.ParseStream(a.Stream)
	if err != nil {
		h.t.Fatal(err)
	}
	return h.message(wire.RoleAck, wire.TypeAck, wire.DownAck(testGate, s), testGate, a)
}

func (h *fakeHQ) key(pub hpke.PublicKey) Message {
	h.t.Helper()
	g, err := wire.SealGroupKey(pub, testGate, "g1", h.group)
	if err != nil {
		h.t.Fatal(err)
	}
	return h.message(wire.RoleDelta, wire.TypeKey, wire.Down(testGate, wire.TypeKey), testGate, g)
}

// delta continues the log with changes.
func (h *fakeHQ) delta(changes ...wire.Change) wire.Delta {
	h.t.Helper()
	var raws [][]byte
	for _, c := range changes {
		raw, err := json.Marshal(c)
		if err != nil {
			h.t.Fatal(err)
		}
		raws = append(raws, raw)
	}
	d, err := wire.SealDelta(h.epoch, h.seq+1, h.hash, raws, "g1", h.group)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, raw := range raws {
		h.seq++
		h.hash = wire.ChainNext(h.hash, h.epoch, h.seq, raw)
	}
	return d
}

func (h *fakeHQ) live(d wire.Delta) Message {
	return h.message(wire.RoleDelta, wire.TypeDelta, wire.TopicDelta, wire.ToAll, d)
}

func (h *fakeHQ) head() Message {
	return h.message(wire.RoleHead, wire.TypeHead, wire.TopicHead, wire.ToAll,
		wire.Head{Epoch: h.epoch, Seq: h.seq, Hash: h.hash, Issued: time.Now().UnixNano()})
}

// fakeAccounts is a replica in memory. It checks what it is given as the real
// one does and keeps an order of events.
type fakeAccounts struct {
	epoch, seq uint64
	hash       wire.Hash
	status     map[string]wire.Status
	log        []string
	heads      []wire.Head
	fail       error
}

func newFakeAccounts() *fakeAccounts { return &fakeAccounts{status: make(map[string]wire.Status)} }

func (f *fakeAccounts) Cursor() (uint64, uint64) { return f.epoch, f.seq }

func (f *fakeAccounts) Overlay(c wire.Change) { f.log = append(f.log, "overlay "+c.Account) }

func (f *fakeAccounts) Head(h wire.Head) error { f.heads = append(f.heads, h); return nil }

func (f *fakeAccounts) Committed(id string) (wire.Status, bool) { s, ok := f.status[id]; return s, ok }

func (f *fakeAccounts) CommittedOrganisation(id string) (wire.Status, bool) {
	s, ok := f.status["organisation "+id]
	return s, ok
}

func (f *fakeAccounts) Apply(epoch, first uint64, prev, hash wire.Hash, changes []wire.Change) error {
	switch {
	case f.fail != nil:
		return f.fail
	case first != f.seq+1 || prev != f.hash:
		return fmt.Errorf("apply %d after %d", first, f.seq)
	}
	for _, c := range changes {
		if c.Op == "" {
			f.log = append(f.log, "skip")
			continue
		}
		f.log = append(f.log, "commit "+c.Account)
		if c.OfOrganisation() {
			f.status["organisation "+c.Organisation] = c.Status
			continue
		}
		f.status[c.Account] = c.Status
	}
	f.epoch, f.seq, f.hash = epoch, f.seq+uint64(len(changes)), hash
	return nil
}

// fakeJournal holds crossings in memory.
type fakeJournal struct {
	t     *testing.T
	raws  [][]byte
	first uint64 // record kept; 0: 1
	acked uint64
	fail  error // of Acknowledge
}

var errHash = errors.New("hash is another")

func (j *fakeJournal) Epoch() uint64 { return 3 }

func (j *fakeJournal) Ranges() []Range {
	var out []Range
	for _, s := range wire.Streams() {
		out = append(out, Range{Stream: s, First: 1, Next: 1})
	}
	out[0].Next, out[0].Acked = uint64(len(j.raws))+1, j.acked
	if j.first > 1 {
		out[0].First, out[0].Before = j.first, wire.HashOf(j.raws[j.first-2])
	}
	return out
}

func (j *fakeJournal) Read(s wire.Stream, from uint64, limit int) ([]Raw, error) {
	var out []Raw
	for seq := from; s == wire.StreamCrossing && seq <= uint64(len(j.raws)) && len(out) < limit; seq++ {
		out = append(out, Raw{Seq: seq, Bytes: j.raws[seq-1]})
	}
	return out, nil
}

func (j *fakeJournal) Acknowledge(a wire.Ack) error {
	if j.fail != nil {
		return j.fail
	}
	if wire.HashOf(j.raws[a.Cum-1]) != a.Hash {
		return errHash
	}
	j.acked = max(j.acked, a.Cum)
	return nil
}

// add writes n records with a sealed part of size bytes.
func (j *fakeJournal) add(n, size int) {
	j.t.Helper()
	for range n {
		r := wire.Record{
			Gate: testGate, Epoch: 3, Stream: wire.StreamCrossing, Seq: uint64(len(j.raws)) + 1, Kind: "decision",
			Class: 1, Day: 20000, Sealed: bytes.Repeat([]byte{1}, size),
		}
		if len(j.raws) > 0 {
			r.Prev = wire.HashOf(j.raws[len(j.raws)-1])
		}
		b, err := r.Encode()
		if err != nil {
			j.t.Fatal(err)
		}
		j.raws = append(j.raws, b)
	}
}

func (j *fakeJournal) ack(cum uint64) wire.Ack {
	a := wire.Ack{Stream: "crossing", Epoch: 3, Cum: cum}
	if cum > 0 {
		a.Hash = wire.HashOf(j.raws[cum-1])
	}
	return a
}

type fakeKeys struct{ n int }

func (k *fakeKeys) WrapFor(_ uint8, _ uint32, _ hpke.PublicKey) ([]byte, error) {
	k.n++
	return []byte("sealed"), nil
}

func equalLogs(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}
