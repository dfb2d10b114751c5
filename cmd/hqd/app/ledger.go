package app

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"bordergate/sync/wire"
)

// Errors of the accounts log.
var (
	ErrNoAccount  = errors.New("account is unknown")
	ErrTransition = errors.New("account's status does not allow it")
	ErrNoDecision = errors.New("decision is unknown")
)

// Limits of one stored message of the log, which is also one delta.
const (
	maxDeltaChanges = 100
	maxDeltaBytes   = 48 << 10
)

const ledgerSubject = "acct.log"

// entry is one change with what only HQ keeps of it. Raw is the change exactly
// as gates get it, since the chain runs over these bytes.
type entry struct {
	Raw json.RawMessage `json:"raw"`
	By  string          `json:"by,omitempty"` // who decided, in clear; sealed with the rest
}

// account is what HQ must know to judge a change.
type account struct {
	ver          uint64
	status       wire.Status
	data         [32]byte // hash of what was enrolled
	organisation string   // who answers for it, or empty
	kind         string
}

// organisation is what HQ must know to judge a decision on one.
type organisation struct {
	ver      uint64
	status   wire.Status // of all that it answers for; empty: active
	accounts int         // that it answers for, its own included
}

// decision is a decision in its place.
type decision struct {
	wire.Decision
	seq   uint64
	scope string   // scopeAccount, scopeOrganisation or scopePass
	due   []string // to whom a notice is due: toPerson, toOrganisation
}

// segment is where a stored message stands in the log.
type segment struct {
	first, last uint64
	at          uint64 // the store's own sequence
	prev        wire.Hash
	restricts   bool // one of its changes takes a right away
}

// ledger is the accounts log: append-only, chained, sealed, with the
// projections that decisions need. Publishing keeps the log's order: each
// append calls publish before the next begins.
type ledger struct {
	js      jetstream.JetStream
	stream  jetstream.Stream
	shared  bool // other hqd append too
	aead    cipher.AEAD
	epoch   uint64
	by      func(name string) string // pseudonym
	now     func() time.Time
	publish func(first uint64, prev wire.Hash, raws [][]byte, urgent bool)

	mu        sync.Mutex
	seq       uint64
	hash      wire.Hash
	whole     time.Time // when all that the store held was in here
	at        uint64
	accounts  map[string]account
	passes    map[string]passEntry
	bodies    map[string]organisation
	marks     map[string]mark // by keyed hash
	watched   int             // marks that are on
	decisions map[string]decision
	trust     trustState
	segments  []segment

	watchKey    [32]byte
	watchKeyVer uint64 // 0: gates have not been told of it
}

func openLedger(ctx context.Context, st *store, id *Identity) (*ledger, error) {
	fresh := strconv.FormatInt(time.Now().Unix(), 10)
	s, err := st.stream(ctx, "ACCOUNTS", ledgerSubject, map[string]string{"epoch": fresh})
	if err != nil {
		return nil, err
	}
	key := id.derive("accounts log")
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("open accounts log: %w", err)
	}
	l := &ledger{
		js: st.js, shared: st.shared, stream: s, by: id.pseudonym, now: time.Now,
		accounts: make(map[string]account), passes: make(map[string]passEntry), decisions: make(map[string]decision),
		bodies: make(map[string]organisation), marks: make(map[string]mark), watchKey: id.derive("watch-list"),
		trust:   trustState{parts: make(map[wire.Hash][]byte)},
		publish: func(uint64, wire.Hash, [][]byte, bool) {},
	}
	if l.aead, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return nil, fmt.Errorf("open accounts log: %w", err)
	}
	if l.epoch, err = strconv.ParseUint(s.CachedInfo().Config.Metadata["epoch"], 10, 64); err != nil {
		return nil, fmt.Errorf("open accounts log: epoch: %w", err)
	}
	if err := l.reread(ctx); err != nil {
		return nil, fmt.Errorf("load accounts log: %w", err)
	}
	return l, nil
}

func (l *ledger) read(ctx context.Context, at uint64) ([]entry, error) {
	ctx, cancel := soon(ctx, l.shared)
	defer cancel()
	m, err := l.stream.GetMsg(ctx, at)
	if err != nil {
		return nil, fmt.Errorf("read accounts log: %w", err)
	}
	plain, err := l.aead.Open(nil, nil, m.Data, l.aad(at))
	if err != nil {
		return nil, fmt.Errorf("read accounts log: message %d: %w", at, wire.ErrSealed)
	}
	var out []entry
	if err := json.Unmarshal(plain, &out); err != nil {
		return nil, fmt.Errorf("read accounts log: message %d: %w", at, wire.ErrPayload)
	}
	return out, nil
}

// aad binds a stored message to its place.
func (l *ledger) aad(at uint64) []byte {
	b := binary.BigEndian.AppendUint64([]byte("accounts log "), l.epoch)
	return binary.BigEndian.AppendUint64(b, at)
}

// project moves the projections over what was stored at.
func (l *ledger) project(at uint64, entries []entry) error {
	seg := segment{first: l.seq + 1, last: l.seq + uint64(len(entries)), at: at, prev: l.hash}
	for _, e := range entries {
		var c wire.Change
		if err := json.Unmarshal(e.Raw, &c); err != nil {
			return wire.ErrPayload
		}
		seg.restricts = seg.restricts || c.Restricts()
		l.seq++
		l.hash = wire.ChainNext(l.hash, l.epoch, l.seq, e.Raw)
		switch {
		case c.OfTrust():
			l.projectTrust(c)
		case c.OfPass():
			l.projectPass(c)
		case c.OfWatch():
			l.projectWatch(c)
		case c.OfOrganisation():
			l.projectOrganisation(c)
		default:
			l.projectAccount(c)
		}
		if c.Decision != nil {
			d := decision{Decision: *c.Decision, seq: l.seq}
			d.scope, d.due = l.scope(c)
			l.decisions[c.Decision.ID] = d
		}
	}
	l.at = at
	l.segments = append(l.segments, seg)
	return nil
}

// projectAccount moves the projection of an account over one change.
func (l *ledger) projectAccount(c wire.Change) {
	a := l.accounts[c.Account]
	a.ver, a.status = c.Ver, c.Status
	if c.Op == wire.OpPut {
		l.answer(a.body(c.Account), -1)
		a.data, a.organisation, a.kind = enrolled(c), c.Organisation, c.Kind
		l.answer(a.body(c.Account), 1)
	}
	l.accounts[c.Account] = a
}

// enrolled is a hash of the account's data without version and status.
func enrolled(c wire.Change) [32]byte {
	c.Ver, c.Status, c.Decision = 0, "", nil
	b, err := json.Marshal(c)
	if err != nil {
		return [32]byte{}
	}
	return sha256.Sum256(b)
}

// append stores entries durably, then moves the projections and publishes.
// The caller holds mu.
func (l *ledger) append(ctx context.Context, entries []entry, urgent bool) error {
	for len(entries) > 0 {
		n, size := 0, 0
		for n < len(entries) && n < maxDeltaChanges && (n == 0 || size+len(entries[n].Raw) <= maxDeltaBytes) {
			size += len(entries[n].Raw) + 1
			n++
		}
		if err := l.appendOne(ctx, entries[:n], urgent); err != nil {
			return err
		}
		entries = entries[n:]
	}
	return nil
}

// Head is the log's newest place. Where others write to it too, it was that
// when the store last said so: a headquarters that is cut off from the store
// vouches for nothing.
func (l *ledger) Head() wire.Head {
	l.mu.Lock()
	defer l.mu.Unlock()
	issued := l.now()
	if l.shared {
		issued = l.whole
	}
	return wire.Head{Epoch: l.epoch, Seq: l.seq, Hash: l.hash, Issued: issued.UnixNano()}
}

// Decision finds a decision by its id.
func (l *ledger) Decision(id string) (decision, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d, ok := l.decisions[id]
	if !ok {
		return d, ErrNoDecision
	}
	return d, nil
}

// upTo lists the decisions at or before a place in the log.
func (l *ledger) upTo(seq uint64) []decision {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []decision
	for _, d := range l.decisions {
		if d.seq <= seq {
			out = append(out, d)
		}
	}
	return out
}

// count is the number of accounts, of decisions and of entries of the
// watch-list.
func (l *ledger) count() (accounts, decisions, watched int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.accounts), len(l.decisions), l.watched
}

// after gives the stored message that holds the change cursor+1, or false at
// the log's end.
func (l *ledger) after(ctx context.Context, cursor uint64) (segment, [][]byte, bool, error) {
	l.mu.Lock()
	i, _ := slices.BinarySearchFunc(l.segments, cursor+1, func(s segment, seq uint64) int {
		switch {
		case s.last < seq:
			return -1
		case s.first > seq:
			return 1
		}
		return 0
	})
	if i >= len(l.segments) {
		l.mu.Unlock()
		return segment{}, nil, false, nil
	}
	seg := l.segments[i]
	l.mu.Unlock()
	raws, err := l.raws(ctx, seg)
	return seg, raws, err == nil, err
}

// raws reads the changes of a stored message as gates get them.
func (l *ledger) raws(ctx context.Context, seg segment) ([][]byte, error) {
	entries, err := l.read(ctx, seg.at)
	if err != nil {
		return nil, err
	}
	raws := make([][]byte, len(entries))
	for i, e := range entries {
		raws[i] = e.Raw
	}
	return raws, nil
}

// restricting lists the stored messages after a place in which something takes
// a right away, the newest first and at most n.
func (l *ledger) restricting(cursor uint64, n int) []segment {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []segment
	for _, seg := range slices.Backward(l.segments) {
		if seg.last <= cursor || len(out) == n {
			break
		}
		if seg.restricts {
			out = append(out, seg)
		}
	}
	return out
}
