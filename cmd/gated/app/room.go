package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"bordergate/sync/journal"
	"bordergate/sync/link"
	"bordergate/sync/wire"
)

// KindRoom is the kind of the records that say how full a stream has become.
const KindRoom = "journal_room"

// roomRecord is such a record's public part.
type roomRecord struct {
	Stream  string `json:"stream"`
	Level   int    `json:"level"` // 70, 85 or 95; 0: there is room again
	Percent int    `json:"percent"`
	Used    int64  `json:"used"`
	Budget  int64  `json:"budget"`
	Queue   uint64 `json:"unacknowledged"`
}

// Times of the look at the journal's room, and how far a stream must have
// fallen below a threshold before it is said to be left.
const (
	roomEvery  = 10 * time.Second
	roomSpread = 5 // percent
)

// room watches how full the journal is. Where a stream fills up it first gives
// up what headquarters holds already; what headquarters does not hold is never
// given up. It tells headquarters at 70 and 85 %, and at 95 % of what records
// of travellers may take it has the lane admit nobody until there is room. The
// same holds while the journal does not write, or headquarters contradicts it.
type room struct {
	journal *journal.Journal
	log     *slog.Logger
	note    func(wire.Stream, string, any) // on record; never blocks
	tell    func(ok bool)                  // the lane; never blocks
	wake    chan struct{}

	mu     sync.Mutex
	levels map[wire.Stream]int
	failed bool           // a record was refused for want of room since the last look
	odds   *contradiction // with headquarters; nil: none
	told   bool           // what the lane was told last
	spoke  bool           // whether it was told anything
}

// contradiction is what headquarters holds otherwise than the journal.
type contradiction struct {
	Stream string    `json:"stream"`
	Seq    uint64    `json:"seq"`
	Text   string    `json:"text"`
	At     time.Time `json:"at"`
}

// blobContradiction is the journal's value that keeps it over a restart.
const blobContradiction = "contradiction"

func newRoom(j *journal.Journal, log *slog.Logger, note func(wire.Stream, string, any), tell func(bool)) (*room, error) {
	r := &room{journal: j, log: log, note: note, tell: tell, wake: make(chan struct{}, 1), levels: map[wire.Stream]int{}}
	b, err := j.Blob(blobContradiction)
	if err != nil || len(b) == 0 {
		return r, err
	}
	r.odds = &contradiction{}
	if err := json.Unmarshal(b, r.odds); err != nil {
		return nil, fmt.Errorf("read contradiction: %w", err)
	}
	return r, nil
}

// nudge has the room looked at now. It never blocks.
func (r *room) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *room) serve(ctx context.Context) error {
	every := time.NewTicker(roomEvery)
	defer every.Stop()
	for {
		changed := r.journal.Changed()
		r.look(ctx)
		select {
		case <-changed:
		case <-r.wake:
		case <-every.C:
			r.again()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// refused notes that the lane's record was not taken for want of room.
func (r *room) refused(err error) {
	if !errors.Is(err, journal.ErrFull) {
		return
	}
	r.mu.Lock()
	r.failed = true
	r.mu.Unlock()
}

// again has the lane told anew, some time after it could not write.
func (r *room) again() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed {
		r.failed, r.spoke = false, false
	}
}

// look gives up what may be given up, says what has changed, and tells the
// lane.
func (r *room) look(ctx context.Context) {
	ok := r.journal.Err() == nil
	for _, f := range r.journal.Fills() {
		if f.Percent() >= journal.FillWarn {
			f = r.giveUp(ctx, f)
		}
		level := r.level(f)
		if f.Stream == wire.StreamCrossing || f.Stream == wire.StreamAlarm {
			ok = ok && level < journal.FillStop
		}
	}
	r.mu.Lock()
	ok = ok && r.odds == nil
	again := !r.spoke || r.told != ok
	r.told, r.spoke = ok, true
	r.mu.Unlock()
	if again {
		r.tell(ok)
	}
}

// giveUpSteps is in how many steps a stream would be deleted; the fill is
// looked at after each.
const giveUpSteps = 20

// giveUp deletes what headquarters holds, oldest first, until the stream is
// well below the first threshold.
func (r *room) giveUp(ctx context.Context, f journal.Fill) journal.Fill {
	rg := r.journal.Ranges()[f.Stream-1]
	upTo, step := rg.First-1, 1+(rg.Next-rg.First)/giveUpSteps
	for upTo < rg.Acked && f.Percent() >= journal.FillWarn-roomSpread {
		next := min(rg.Acked, upTo+step)
		if err := r.journal.Prune(ctx, f.Stream, next); err != nil {
			r.log.Error("Room is not given back", "stream", rg.Name, "error", err)
			break
		}
		upTo, f = next, r.journal.Fills()[f.Stream-1]
	}
	if upTo >= rg.First {
		r.note(wire.StreamAlarm, KindPruned, prunedRecord{rg.Name, rg.First, upTo, "room"})
	}
	return f
}

// level is the threshold that a stream has passed, and puts it on record when
// it is another than before.
func (r *room) level(f journal.Fill) int {
	r.mu.Lock()
	old := r.levels[f.Stream]
	p, now := f.Percent(), 0
	for _, l := range []int{journal.FillWarn, journal.FillAlarm, journal.FillStop} {
		if p >= l || old >= l && p >= l-roomSpread {
			now = l
		}
	}
	r.levels[f.Stream] = now
	r.mu.Unlock()
	if now == old {
		return now
	}
	rg := r.journal.Ranges()[f.Stream-1]
	r.log.Warn("Room of the journal has changed", "stream", rg.Name, "percent", p, "level", now)
	r.note(wire.StreamAlarm, KindRoom, roomRecord{
		Stream: rg.Name, Level: now, Percent: p, Used: f.Used, Budget: f.Budget, Queue: rg.Next - 1 - rg.Acked,
	})
	return now
}

// contradicted stops the lane, over restarts too, until headquarters agrees.
func (r *room) contradicted(err error) {
	c := &contradiction{Text: err.Error(), At: time.Now().UTC()}
	var at *link.Contradiction
	if errors.As(err, &at) {
		c.Stream, c.Seq = at.Stream.String(), at.Seq
	}
	r.mu.Lock()
	known := r.odds != nil
	r.mu.Unlock()
	if !known { // the first is what has to be put right
		r.keep(c)
	}
}

// agreed ends a contradiction once headquarters holds the journal's own record
// where it held another.
func (r *room) agreed(a wire.Ack) {
	r.mu.Lock()
	end := r.odds != nil && r.odds.Stream == a.Stream && a.Cum >= r.odds.Seq
	r.mu.Unlock()
	if end {
		r.log.Warn("Headquarters and the journal agree again", "stream", a.Stream, "seq", a.Cum)
		r.keep(nil)
	}
	r.nudge()
}

func (r *room) keep(c *contradiction) {
	r.mu.Lock()
	r.odds = c
	r.mu.Unlock()
	var b []byte
	if c != nil {
		b, _ = json.Marshal(c) // plain fields always encode
	}
	if err := r.journal.PutBlob(blobContradiction, b); err != nil {
		r.log.Error("Contradiction is not kept", "error", err)
	}
	r.nudge()
}

// faults are what keeps the lane from admitting anybody, each with its cure.
func (r *room) faults() []Fault {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Fault
	add := func(format string, args ...any) {
		out = append(out, Fault{Part: "journal", Error: fmt.Sprintf(format, args...)})
	}
	if err := r.journal.Err(); err != nil {
		add("%v (check the disk; then start gated again, which checks the whole journal first)", err)
	}
	if c := r.odds; c != nil {
		add("headquarters holds other records than this gate since %s: %s (let nobody use the gate; run gatectl journal verify, and keep a copy of journal.db and of its report for headquarters. If headquarters was wrong, the gate opens by itself as soon as it holds this gate's records. If not, stop gated, move journal.db away as evidence and start gated: a new journal begins)",
			c.At.Format(time.RFC3339), c.Text)
	}
	for _, s := range []wire.Stream{wire.StreamCrossing, wire.StreamAlarm} {
		if r.levels[s] >= journal.FillStop {
			add("%s records have used %d %% of their room and headquarters does not hold them yet (bring the way to headquarters back: what it acknowledges makes room; or free disk space below paths.state, or raise journal.max_mib)",
				s, journal.FillStop)
		}
	}
	return out
}

// codes are the same for headquarters, and the lower thresholds too.
func (r *room) codes() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	if r.journal.Err() != nil {
		out = append(out, "journal_fault")
	}
	if r.odds != nil {
		out = append(out, "journal_contradiction")
	}
	for _, s := range wire.Streams() {
		if l := r.levels[s]; l > 0 {
			out = append(out, fmt.Sprintf("journal_%s_%d", s, l))
		}
	}
	return out
}
