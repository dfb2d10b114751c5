package link

import (
	"context"
	"time"

	"bordergate/sync/wire"
)

// How a snapshot is fetched: so many pieces are under way at once, and asked for
// again when nothing came for a while. Then HQ is asked from the start.
const (
	fetchWindow = wire.MaxFetch
	fetchWait   = 10 * time.Second
	fetchTries  = 6
	resetEvery  = time.Minute // an HQ that contradicts itself empties no replica for ever
)

// transfer is a snapshot on its way.
type transfer struct {
	m        wire.Snapshot
	next     int // first piece that is not here
	asked    int // pieces before it were asked for
	last     time.Time
	tries    int
	building bool
}

// otherEpoch notes that HQ's log began anew, by a head of a later epoch. A
// snapshot of it is taken only then: it needs the word of two of HQ's keys.
func (d *Downlink) otherEpoch(h wire.Head, mine uint64) {
	if h.Epoch < mine || h.Epoch < d.other.Epoch || h.Issued < d.other.Issued {
		return
	}
	d.other, d.wantMore = h, true // with every head, until HQ's answer has come
}

// onSnapshot begins a transfer, or goes on with one that was interrupted.
func (d *Downlink) onSnapshot(m Message) {
	replica, can := d.opts.Accounts.(Snapshots)
	if m.Retained || !can {
		d.counters.add(causeRetained)
		return
	}
	s, err := verify[wire.Snapshot](d.opts.Ring, m, d.opts.Gate, wire.TypeSnapshot, wire.RoleSnapshot, d.opts.Now)
	if err == nil {
		err = s.Check()
	}
	if err != nil {
		d.refuse(err)
		return
	}
	group, ok := d.keys[s.Key]
	epoch, _ := d.opts.Accounts.Cursor()
	switch {
	case !ok:
		d.counters.add(causeNoKey)
		d.keyless, d.wantMore = true, true
		return
	case epoch != 0 && s.Epoch != epoch && s.Epoch != d.other.Epoch:
		d.counters.add(causeEpoch)
		return
	case d.snap != nil && (d.snap.building || d.snap.m.ID == s.ID):
		d.counters.add(causeDuplicate)
		return
	}
	key, err := s.OpenKey(group)
	if err != nil {
		d.refuse(err)
		return
	}
	next, err := replica.BeginSnapshot(s, key)
	if err != nil {
		d.counters.add(causeSnapshot)
		d.opts.Logger.Warn("Snapshot refused by the replica", "error", err)
		return
	}
	d.opts.Logger.Info("Snapshot begun", "place", s.Seq, "pieces", s.Pieces, "here", next)
	d.snap = &transfer{m: s, next: next, asked: next, last: time.Now()}
	if s.After != 0 && s.After == d.asked && len(d.missed) >= s.Missed {
		d.setCatching(false) // every suspension that was missed is in force: the rest may take its time
	}
	d.fetch()
}

// onPiece takes a piece. Which one it is, its signed header says; whether it is
// right, the manifest.
func (d *Downlink) onPiece(m Message) {
	want := wire.Want{Typ: wire.TypePiece, Topic: m.Topic, To: d.opts.Gate, Role: wire.RoleSnapshot}
	h, b, err := d.opts.Ring.Verify(m.Payload, want)
	switch {
	case err != nil:
		d.refuse(err)
		return
	case m.Retained:
		d.counters.add(causeRetained)
		return
	case d.snap == nil || d.snap.building || h.Seq != uint64(d.snap.next):
		d.counters.add(causeDuplicate) // or after a lost one: asked for again when nothing comes
		return
	}
	next, err := d.opts.Accounts.(Snapshots).AddPiece(d.snap.next, b)
	if err != nil {
		d.counters.add(causePiece)
		d.opts.Logger.Warn("Piece of a snapshot refused", "error", err)
		return
	}
	d.snap.next, d.snap.last, d.snap.tries = next, time.Now(), 0
	d.moved(d.snap.last)
	d.fetch()
}

// fetch asks for pieces, half a window at a time, so that the way stays full.
func (d *Downlink) fetch() {
	s := d.snap
	n := min(s.next+fetchWindow, s.m.Pieces) - s.asked
	if n < fetchWindow/2 && s.asked+n < s.m.Pieces || n <= 0 {
		return
	}
	d.opts.Say(wire.TypeFetch, wire.Fetch{ID: s.m.ID, From: s.asked, N: n})
	s.asked += n
}

// hurry asks again for what did not come.
func (d *Downlink) hurry(now time.Time) {
	s := d.snap
	if s == nil || s.building || now.Sub(s.last) < fetchWait {
		return
	}
	d.counters.add(causeStall)
	if s.tries++; s.tries > fetchTries {
		d.snap, d.wantMore = nil, true
		return
	}
	s.last, s.asked = now, s.next
	d.fetch()
}

// interrupt ends a transfer with its connection. What is here stays.
func (d *Downlink) interrupt() {
	if d.snap != nil && !d.snap.building {
		d.snap = nil
	}
}

// install begins the installation once everything is here. Suspensions go on
// biting meanwhile.
func (d *Downlink) install(ctx context.Context) {
	s := d.snap
	if s == nil || s.building || s.next < s.m.Pieces {
		return
	}
	s.building = true
	replica := d.opts.Accounts.(Snapshots)
	d.builder.Go(func() { d.built <- replica.InstallSnapshot(ctx) })
}

// installed goes on from the snapshot's place.
func (d *Downlink) installed(err error) {
	s := d.snap
	d.snap = nil
	if err != nil {
		d.counters.add(causeSnapshot)
		d.opts.Logger.Error("Snapshot not installed", "error", err)
	} else {
		d.counters.add(countInstalled)
		d.opts.Logger.Info("Snapshot installed", "place", s.m.Seq)
		d.covered(s.m)
		if d.head.Epoch != s.m.Epoch {
			d.head = wire.Head{}
			if d.other.Epoch == s.m.Epoch {
				d.head = d.other
			}
			d.remind()
		}
		d.opts.OnChange("") // any account may have changed
		d.compare(s.m.Seq)
		d.hello = time.Time{}
	}
	d.ask()
}

// covered reports the decisions that bit before the snapshot brought them.
// Those that HQ gets no report on it infers from the cursor.
func (d *Downlink) covered(m wire.Snapshot) {
	out := wire.Applied{Epoch: m.Epoch, Cursor: m.Seq}
	for id, e := range d.effects {
		switch {
		case e.epoch != m.Epoch:
			delete(d.effects, id) // of a log that is no more
		case e.seq <= m.Seq:
			delete(d.effects, id)
			out.Decisions = append(out.Decisions, e.at)
		}
	}
	if len(out.Decisions) > 0 {
		d.remember(out)
		d.opts.Say(wire.TypeApplied, out)
	}
}

// giveHead tells the replica of the newest head, and whether it took it.
func (d *Downlink) giveHead() bool {
	err := d.opts.Accounts.Head(d.head)
	if err != nil {
		d.counters.add(causeStore)
		d.opts.Logger.Error("Head refused by the replica", "error", err)
	}
	return err == nil
}

// remind tells a replica that was made anew of the head that is known: the next
// one may be many seconds away, and nobody is admitted before one is reached.
func (d *Downlink) remind() {
	if d.head.Issued != 0 {
		d.giveHead()
	}
}

// startOver empties a replica that contradicts HQ's log, so that HQ fills it
// anew.
func (d *Downlink) startOver() {
	replica, can := d.opts.Accounts.(Snapshots)
	now := time.Now()
	if !can || !replica.Diverged() || !d.reset.IsZero() && now.Sub(d.reset) < resetEvery {
		return
	}
	d.reset = now
	d.counters.add(causeReset)
	if err := replica.Reset(); err != nil {
		d.opts.Logger.Error("Accounts are not emptied", "error", err)
		return
	}
	d.opts.Logger.Warn("Accounts contradict headquarters' log and are filled anew",
		"hint", "nothing to do here; have headquarters find out why if it comes again")
	d.remind()
	d.hello = time.Time{}
	d.ask()
}
