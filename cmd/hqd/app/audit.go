package app

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"bordergate/cmd/hqd/console"
)

// audit is the console's append-only log in the store: sealed, each entry bound
// to its place and to the one before it, so that none can be taken out, changed
// or put between. Several hqd write to one log; each takes what the others
// wrote before it writes.
type audit struct {
	js     jetstream.JetStream
	stream jetstream.Stream
	shared bool
	aead   cipher.AEAD
	take   func(console.Entry)

	mu   sync.Mutex
	at   uint64
	hash [sha256.Size]byte // of the message at at
}

// Subjects of the log. Accounts have their own, so that they are found however
// long the log is.
const (
	subjectAudit = "con.log"
	subjectUsers = "con.user"
)

// auditBack is how much of the log counts when a console is opened: longer than
// a session can last and a board looks back.
const auditBack = 25 * time.Hour

// ErrAudit means that the log is not what was written.
var ErrAudit = errors.New("console's log was changed, or is of other keys")

// link is an entry with the hash of the message before it.
type auditLink struct {
	Prev  []byte        `json:"prev,omitempty"`
	Entry console.Entry `json:"entry"`
}

func openAudit(ctx context.Context, st *store, id *Identity, take func(console.Entry)) (*audit, error) {
	s, err := st.stream(ctx, "CONSOLE", "con.>", nil)
	if err != nil {
		return nil, err
	}
	key := id.derive("console log")
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("open console's log: %w", err)
	}
	l := &audit{js: st.js, stream: s, shared: st.shared, take: take}
	if l.aead, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return nil, fmt.Errorf("open console's log: %w", err)
	}
	if err := l.load(ctx); err != nil {
		return nil, fmt.Errorf("open console's log: %w", err)
	}
	return l, nil
}

// load takes every account and, of the rest, what is young enough to count.
func (l *audit) load(ctx context.Context) error {
	info, err := l.stream.Info(ctx)
	if err != nil {
		return err
	}
	last, since := info.State.LastSeq, time.Now().Add(-auditBack)
	var failed error
	first := uint64(sort.Search(int(last), func(i int) bool {
		m, err := l.stream.GetMsg(ctx, uint64(i)+1)
		if err != nil {
			failed = err
			return true
		}
		return m.Time.After(since)
	})) + 1
	if failed != nil {
		return failed
	}
	for at := uint64(1); at < first; at++ {
		m, err := l.stream.GetMsg(ctx, at, jetstream.WithGetMsgSubject(subjectUsers))
		if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && m.Sequence >= first {
			break
		}
		if err != nil {
			return err
		}
		at = m.Sequence
		e, err := l.open(m.Data, at)
		if err != nil {
			return err
		}
		l.take(e.Entry)
	}
	if first > 1 {
		m, err := l.stream.GetMsg(ctx, first-1)
		if err != nil {
			return err
		}
		l.at, l.hash = first-1, sha256.Sum256(m.Data)
	}
	return l.reread(ctx)
}

// reread takes what the store holds beyond what was taken. The caller holds mu,
// or is alone.
func (l *audit) reread(ctx context.Context) error {
	info, err := l.stream.Info(ctx)
	if err != nil {
		return err
	}
	for l.at < info.State.LastSeq {
		m, err := l.stream.GetMsg(ctx, l.at+1)
		if err != nil {
			return err
		}
		e, err := l.open(m.Data, l.at+1)
		if err != nil {
			return err
		}
		if l.at > 0 && !bytes.Equal(e.Prev, l.hash[:]) {
			return fmt.Errorf("%w: entry %d does not follow the one before it", ErrAudit, l.at+1)
		}
		l.at, l.hash = l.at+1, sha256.Sum256(m.Data)
		l.take(e.Entry)
	}
	return nil
}

func auditPlace(at uint64) []byte {
	return append([]byte("console log "), binary.BigEndian.AppendUint64(nil, at)...)
}

func (l *audit) open(sealed []byte, at uint64) (e auditLink, err error) {
	plain, err := l.aead.Open(nil, nil, sealed, auditPlace(at))
	if err != nil {
		return e, fmt.Errorf("%w: entry %d", ErrAudit, at)
	}
	if err := json.Unmarshal(plain, &e); err != nil {
		return e, fmt.Errorf("read console's log: %w", err)
	}
	e.Entry.Seq = at
	return e, nil
}

// follow takes what other hqd have written.
func (l *audit) follow(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reread(ctx)
}

// Append implements console.Log.
func (l *audit) Append(ctx context.Context, e console.Entry, may func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if may != nil {
			if err := may(); err != nil {
				return err
			}
		}
		done, err := l.try(ctx, e)
		if done || err != nil && !wrongPlace(err) && !(l.shared && pause(ctx)) {
			return err
		}
	}
}

// try writes the entry in the next place, and says whether it stands there.
func (l *audit) try(ctx context.Context, e console.Entry) (done bool, err error) {
	at := l.at + 1
	e.Seq = 0
	plain, err := json.Marshal(auditLink{Prev: l.hash[:], Entry: e})
	if err != nil {
		return false, fmt.Errorf("write console's log: %w", err)
	}
	m := nats.NewMsg(subjectAudit)
	if e.Do == console.DidUser || e.Do == console.DidRemove {
		m.Subject = subjectUsers
	}
	m.Data = l.aead.Seal(nil, nil, plain, auditPlace(at))
	one, cancel := soon(ctx, l.shared)
	defer cancel()
	_, wrote := l.js.PublishMsg(one, m, jetstream.WithExpectLastSequence(at-1))
	// Whether it stands there, whoever was quicker, is what the store holds.
	if err := l.reread(ctx); err != nil {
		return false, fmt.Errorf("write console's log: %w", errors.Join(wrote, err))
	}
	if l.at >= at {
		held, err := l.stream.GetMsg(one, at)
		if err != nil {
			return false, fmt.Errorf("write console's log: %w", err)
		}
		if bytes.Equal(held.Data, m.Data) {
			return true, nil
		}
	}
	if wrote == nil {
		return false, fmt.Errorf("write console's log: %w", ErrAudit)
	}
	return false, fmt.Errorf("write console's log: %w", wrote)
}

// Tail implements console.Log.
func (l *audit) Tail(ctx context.Context, before uint64, n int) ([]console.Entry, error) {
	l.mu.Lock()
	at := l.at
	l.mu.Unlock()
	if before > 0 && before <= at {
		at = before - 1
	}
	var out []console.Entry
	for ; at > 0 && len(out) < n; at-- {
		m, err := l.stream.GetMsg(ctx, at)
		if err != nil {
			return nil, fmt.Errorf("read console's log: %w", err)
		}
		e, err := l.open(m.Data, at)
		if err != nil {
			return nil, err
		}
		out = append(out, e.Entry)
	}
	return out, nil
}
