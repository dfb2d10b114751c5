package app

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"go.etcd.io/bbolt"

	"bordergate/sync/journal"
	"bordergate/sync/wire"
)

// Bounds of a look-up.
const (
	defaultCrossings = 50
	maxCrossings     = 1000
	lookupWait       = 30 * time.Millisecond // for what the store has and the projection not yet
)

// ErrLookup means that a look-up does not say of whom.
var ErrLookup = errors.New("look-up is not as it must be")

// crossing is what the projection keeps of one.
type crossing struct {
	Gate      string   `json:"g"`
	Epoch     uint64   `json:"e"`
	Seq       uint64   `json:"s"` // of the record that says whose it is
	At        uint64   `json:"m"` // the store's message with it
	Wall      int64    `json:"w"`
	Tx        []byte   `json:"t,omitempty"`
	Pass      []byte   `json:"p,omitempty"` // hash
	Direction string   `json:"d,omitempty"`
	Outcome   string   `json:"o,omitempty"`
	Reasons   []string `json:"r,omitempty"`
	Kind      string   `json:"k"` // of the newest record
	Simulated bool     `json:"x,omitempty"`
}

// said is what of a record's public part is looked up.
type said struct {
	Outcome   string   `json:"outcome"`
	Reasons   []string `json:"reasons"`
	Direction string   `json:"direction"`
}

func newCrossing(r wire.Record, at uint64) crossing {
	c := crossing{Gate: r.Gate, Epoch: r.Epoch, Seq: r.Seq, At: at, Wall: r.Wall, Simulated: r.Simulated}
	if r.Tx != [16]byte{} {
		c.Tx = bytes.Clone(r.Tx[:])
	}
	c.later(r)
	return c
}

// later takes up what a newer record of the same transaction says.
func (c *crossing) later(r wire.Record) {
	var s said
	c.Kind = r.Kind
	if json.Unmarshal(r.Public, &s) != nil {
		return
	}
	if s.Outcome != "" {
		c.Outcome, c.Reasons = s.Outcome, s.Reasons
	}
	if s.Direction != "" {
		c.Direction = s.Direction
	}
}

// Crossing is one crossing of the person who was looked up.
type Crossing struct {
	At        time.Time     `json:"at"`
	Gate      string        `json:"gate"`
	Epoch     uint64        `json:"epoch"`
	Seq       uint64        `json:"seq"` // in the gate's crossing stream
	Tx        string        `json:"tx,omitempty"`
	Direction string        `json:"direction,omitempty"`
	Outcome   string        `json:"outcome,omitempty"`
	Reasons   []string      `json:"reasons,omitempty"`
	Finished  bool          `json:"finished"` // false: decided, and not yet known what came of it
	Simulated bool          `json:"simulated"`
	Record    *journal.Line `json:"record,omitempty"` // opened, where asked for
}

// Crossings answers a look-up, the newest first.
type Crossings struct {
	Crossings []Crossing `json:"crossings"`
	More      bool       `json:"more"`   // there are older ones
	Behind    uint64     `json:"behind"` // messages of the store not looked at yet; 0: complete
	Millis    float64    `json:"millis"`
}

// find gives the newest crossings of an account, or those made with a pass.
func (l *lookup) find(account, pass string, limit int) (list []crossing, more bool, err error) {
	err = l.db.View(func(tx *bbolt.Tx) error {
		persons, only := [][]byte{l.mark("account", account)}, []byte(nil)
		if pass != "" {
			only, persons = l.mark("pass", pass), nil
			c := tx.Bucket(bucketPass).Cursor()
			for k, _ := c.Seek(only); bytes.HasPrefix(k, only); k, _ = c.Next() {
				persons = append(persons, bytes.Clone(k[hashSize:]))
			}
		}
		for _, p := range persons {
			if err := l.newest(tx, p, only, limit+1, &list); err != nil {
				return err
			}
		}
		return nil
	})
	slices.SortStableFunc(list, func(a, b crossing) int { return int(min(max(b.Wall-a.Wall, -1), 1)) })
	if more = len(list) > limit; more {
		list = list[:limit]
	}
	return list, more, err
}

// newest appends up to n of a person's crossings, made with only where given.
func (l *lookup) newest(tx *bbolt.Tx, person, only []byte, n int, list *[]crossing) error {
	c := tx.Bucket(bucketPerson).Cursor()
	end := append(bytes.Clone(person), bytes.Repeat([]byte{0xff}, 21)...)
	before := c.Prev
	if k, _ := c.Seek(end); k == nil {
		before = c.Last
	}
	for k, v := before(); n > 0 && bytes.HasPrefix(k, person); k, v = c.Prev() {
		x, err := l.get(k, v)
		if err != nil {
			return err
		}
		if only == nil || bytes.Equal(x.Pass, only) {
			*list, n = append(*list, x), n-1
		}
	}
	return nil
}

// record reads a crossing's record from the store and opens it.
func (l *lookup) record(ctx context.Context, c crossing) (*journal.Line, error) {
	ctx, cancel := soon(ctx, l.records.shared)
	defer cancel()
	m, err := l.records.stream.GetMsg(ctx, c.At)
	if err != nil {
		return nil, err
	}
	var out *journal.Line
	err = eachNew(m, func(raw journal.RawRecord, keys []wire.DayKey) error {
		if raw.Seq != c.Seq {
			return nil
		}
		line, err := journal.NewLine(raw, l.id.opener(keys))
		out = &line
		return err
	})
	return out, err
}

// crossingsOf answers a look-up by account or by pass.
func (l *lookup) crossingsOf(ctx context.Context, account, pass string, limit int, open bool) (Crossings, error) {
	start := time.Now()
	out := Crossings{Crossings: []Crossing{}}
	if (account == "") == (pass == "") || limit < 1 || limit > maxCrossings {
		return out, fmt.Errorf("%w: want an account or a pass, and 1 to %d crossings", ErrLookup, maxCrossings)
	}
	var err error
	if out.Behind, err = l.await(ctx); err != nil {
		return out, err
	}
	list, more, err := l.find(account, pass, limit)
	if err != nil {
		return out, fmt.Errorf("look up: %w", err)
	}
	out.More = more
	for _, c := range list {
		x := Crossing{
			At: time.Unix(0, c.Wall).UTC(), Gate: c.Gate, Epoch: c.Epoch, Seq: c.Seq, Tx: hex.EncodeToString(c.Tx),
			Direction: c.Direction, Outcome: c.Outcome, Reasons: c.Reasons, Finished: c.Kind == "outcome", Simulated: c.Simulated,
		}
		if open {
			if x.Record, err = l.record(ctx, c); err != nil {
				return out, fmt.Errorf("look up: %w", err)
			}
		}
		out.Crossings = append(out.Crossings, x)
	}
	out.Millis = float64(time.Since(start).Microseconds()) / 1000
	return out, nil
}

func (a *App) crossings(w http.ResponseWriter, r *http.Request) {
	q, limit := r.URL.Query(), defaultCrossings
	var err error
	if text := q.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil {
			err = fmt.Errorf("%w: limit is no number", ErrLookup)
		}
	}
	var out Crossings
	if err == nil {
		out, err = a.lookup.crossingsOf(r.Context(), q.Get("account"), q.Get("pass"), limit, q.Get("open") == "1")
	}
	reply(w, out, err)
}
