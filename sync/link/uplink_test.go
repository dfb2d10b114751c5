package link

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"bordergate/sync/wire"
)

// upRig drives an Uplink without its goroutine.
type upRig struct {
	t      *testing.T
	hq     *fakeHQ
	j      *fakeJournal
	keys   *fakeKeys
	u      *Uplink
	sent   []wire.Records
	copies []wire.Records
	births int
	fatal  error
	down   error // what sending gives
}

func newUp(t *testing.T) *upRig {
	t.Helper()
	r := &upRig{t: t, hq: newFakeHQ(t), j: &fakeJournal{t: t}, keys: &fakeKeys{}}
	r.u = newUplink(UplinkOptions{
		Gate: testGate, Ring: r.hq.ring, Seal: r.hq.seal.PublicKey(), Journal: r.j, Keys: r.keys,
		Send: func(topic, typ string, _ uint64, v any) error {
			switch b := v.(wire.Records); {
			case r.down != nil:
			case typ == wire.TypeLive && topic == wire.UpLive(testGate, wire.StreamCrossing):
				r.copies = append(r.copies, b)
			case typ == wire.TypeRecords:
				r.sent = append(r.sent, b)
			}
			return r.down
		},
		Birth: func() { r.births++ }, OnFatal: func(err error) { r.fatal = err }, OnHQ: func(bool, bool) {},
	}, newCounters())
	return r
}

func (r *upRig) give(m ...Message) {
	for _, m := range m {
		r.u.handle(m)
		r.u.pump(r.t.Context())
	}
}

// connect brings the rig to where HQ has said it holds cum.
func (r *upRig) connect(cum uint64) {
	r.give(Message{Kind: Up}, r.hq.state("s1", true), Message{Kind: Ready}, r.hq.ack(r.j.ack(cum)))
	r.others()
}

// others has HQ say that it holds nothing of the streams that are empty.
func (r *upRig) others() {
	for _, s := range wire.Streams()[1:] {
		r.give(r.hq.ack(wire.Ack{Stream: s.String(), Epoch: 3}))
	}
}

func (r *upRig) count(cause string) uint64 { return r.u.counters.snapshot()[cause] }

func (r *upRig) firsts() (out []uint64) {
	for _, b := range r.sent {
		out = append(out, b.First)
	}
	r.sent = nil
	return out
}

func TestUplinkStartsAtHQsCursor(t *testing.T) {
	r := newUp(t)
	r.j.add(wire.MaxBatch+70, 10)
	r.give(Message{Kind: Up}, r.hq.state("s1", true), Message{Kind: Ready})
	if len(r.sent) != 0 {
		t.Fatal("sent before HQ said where it is")
	}
	r.give(r.hq.ack(r.j.ack(40)))
	if r.j.acked != 40 || len(r.sent) != 2 {
		t.Fatalf("acked %d, %d batches", r.j.acked, len(r.sent))
	}
	for i, want := range []struct {
		first uint64
		n     int
	}{{41, wire.MaxBatch}, {wire.MaxBatch + 41, 30}} {
		if b := r.sent[i]; b.First != want.first || b.N != want.n || !b.Historical || len(b.Keys) != 1 {
			t.Errorf("batch %d: first %d, n %d, historical %v, %d keys", i, b.First, b.N, b.Historical, len(b.Keys))
		}
		if _, _, err := r.sent[i].Check(testGate, wire.StreamCrossing); err != nil {
			t.Errorf("batch %d: %v", i, err)
		}
	}
	if r.keys.n != 1 {
		t.Errorf("day key wrapped %d times", r.keys.n)
	}
}

func TestUplinkWaitsForHQ(t *testing.T) {
	r := newUp(t)
	r.j.add(1, 10)
	r.give(Message{Kind: Up}, r.hq.state("s1", false), Message{Kind: Ready}, r.hq.ack(r.j.ack(0)))
	if len(r.sent) != 0 {
		t.Fatal("sent while HQ was away")
	}
	r.give(r.hq.state("s2", true))
	r.give(r.hq.ack(r.j.ack(0)))
	if len(r.sent) != 1 {
		t.Fatalf("%d batches once HQ was there", len(r.sent))
	}
	r.j.add(1, 10)
	r.give(r.hq.state("s1", false)) // the late will of the session before
	if got := r.firsts(); len(got) != 2 || r.count(causeReplayed) != 1 {
		t.Fatalf("after a late will: %v", got)
	}
}

// TestUplinkKeepsToItsPace holds that a lane begins carefully, and that what
// was acknowledged makes room for more.
func TestUplinkKeepsToItsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUp(t)
		r.j.add(30*wire.MaxBatch, 1)
		r.connect(0)
		if len(r.sent) != firstWindow {
			t.Fatalf("%d batches under way, want %d", len(r.sent), firstWindow)
		}
		<-time.After(600 * time.Millisecond)
		r.give(r.hq.ack(r.j.ack(2 * wire.MaxBatch)))
		// Two are acknowledged: two in their place, and two more since nothing queued.
		if last := r.sent[len(r.sent)-1]; len(r.sent) != firstWindow+4 || last.First != (firstWindow+3)*wire.MaxBatch+1 {
			t.Fatalf("%d batches after two were acknowledged, the last from %d", len(r.sent), last.First)
		}
	})
}

// TestUplinkTellsOfWhatIsNewBeforeItsTurn holds that a copy goes out of what
// was written since the connection while it waits behind a backlog, once, and
// of nothing else.
func TestUplinkTellsOfWhatIsNewBeforeItsTurn(t *testing.T) {
	r := newUp(t)
	r.j.add(10*wire.MaxBatch, 1)
	r.connect(0)
	if len(r.copies) != 0 {
		t.Fatalf("%d copies of what was written before the connection", len(r.copies))
	}
	for n := range 3 {
		r.j.add(2, 1)
		r.u.pump(t.Context())
		want := uint64(10*wire.MaxBatch + 2*n + 1)
		if len(r.copies) != n+1 || r.copies[n].First != want || r.copies[n].N != 2 || r.copies[n].Historical {
			t.Fatalf("copies %+v, want one of 2 from %d on", r.copies, want)
		}
	}
	r.sent, r.copies = nil, nil
	r.give(r.hq.ack(r.j.ack(uint64(len(r.j.raws)))))
	r.j.add(1, 1)
	r.u.pump(t.Context())
	if len(r.copies) != 0 || len(r.sent) != 1 {
		t.Fatalf("%d copies and %d batches with no backlog", len(r.copies), len(r.sent))
	}
	// More than fits a message at once: the newest matter.
	r.j.add(6*wire.MaxBatch, 1)
	r.u.pump(t.Context())
	if len(r.copies) != 1 || r.copies[0].N != wire.MaxBatch || r.copies[0].First != uint64(len(r.j.raws)-wire.MaxBatch+1) {
		t.Fatalf("%d copies of a burst", len(r.copies))
	}
}

// TestUplinkKeepsBacklogAndNewApart holds that a record that is new is told of
// as new although the end of the backlog would have had room for it.
func TestUplinkKeepsBacklogAndNewApart(t *testing.T) {
	r := newUp(t)
	r.j.add(3, 1)
	r.give(Message{Kind: Up}, r.hq.state("s1", true), Message{Kind: Ready})
	r.j.add(2, 1)
	r.give(r.hq.ack(r.j.ack(0)))
	if len(r.copies) != 0 || len(r.sent) != 2 {
		t.Fatalf("%d copies, %d batches", len(r.copies), len(r.sent))
	}
	if a, b := r.sent[0], r.sent[1]; a.First != 1 || a.N != 3 || !a.Historical || b.First != 4 || b.N != 2 || b.Historical {
		t.Errorf("batches of %d from %d (historical %v) and %d from %d (%v)", a.N, a.First, a.Historical, b.N, b.First, b.Historical)
	}
}

func TestUplinkBoundsABatchsSize(t *testing.T) {
	r := newUp(t)
	r.j.add(3, 40<<10)
	r.connect(0)
	if len(r.sent) != 3 {
		t.Fatalf("%d batches for three large records", len(r.sent))
	}
}

func TestUplinkRefusesFalseAcknowledgements(t *testing.T) {
	good := func(r *upRig) wire.Ack { return r.j.ack(5) }
	for name, tc := range map[string]struct {
		message func(*upRig) Message
		cause   string
	}{
		"forged": {func(r *upRig) Message {
			r.hq.roles[wire.RoleAck] = testSigner("other", wire.RoleAck)
			return r.hq.ack(good(r))
		}, "unknown_key"},
		"another role": {func(r *upRig) Message {
			return r.hq.message(wire.RoleHead, wire.TypeAck, wire.DownAck(testGate, wire.StreamCrossing), testGate, good(r))
		}, "wrong_role"},
		"misaddressed": {func(r *upRig) Message {
			return r.hq.message(wire.RoleAck, wire.TypeAck, wire.DownAck(testGate, wire.StreamCrossing), "lane-2", good(r))
		}, "address"},
		"moved to another stream": {func(r *upRig) Message {
			m := r.hq.ack(good(r))
			m.Topic = wire.DownAck(testGate, wire.StreamAlarm)
			return m
		}, causeTopic},
		"another gate's topic": {func(r *upRig) Message {
			m := r.hq.ack(good(r))
			m.Topic = wire.DownAck("lane-2", wire.StreamCrossing)
			return m
		}, causeTopic},
		"another epoch": {func(r *upRig) Message {
			a := good(r)
			a.Epoch = 2
			return r.hq.ack(a)
		}, causeEpoch},
		"from the past": {func(r *upRig) Message { return r.hq.ack(r.j.ack(1)) }, causeReplayed},
		"garbage": {func(r *upRig) Message {
			m := r.hq.ack(good(r))
			m.Payload = []byte("x")
			return m
		}, "form"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newUp(t)
			r.j.add(10, 1)
			r.connect(3)
			acks := r.hq.acks
			r.give(tc.message(r))
			if r.j.acked != 3 || r.fatal != nil || r.count(tc.cause) != 1 {
				t.Errorf("acked %d, fatal %v, counters %v", r.j.acked, r.fatal, r.u.counters.snapshot())
			}
			if r.hq.acks != acks+1 {
				t.Error("the broker was not told that the message was dealt with")
			}
		})
	}
}

func TestUplinkStopsTheGateOnContradiction(t *testing.T) {
	for name, change := range map[string]func(*wire.Ack){
		"another history": func(a *wire.Ack) { a.Hash[0]++ },
		"ahead":           func(a *wire.Ack) { a.Cum = 11 },
	} {
		t.Run(name, func(t *testing.T) {
			r := newUp(t)
			r.j.add(10, 1)
			r.connect(3)
			a := r.j.ack(5)
			change(&a)
			r.give(r.hq.ack(a))
			if r.fatal == nil || r.j.acked != 3 {
				t.Fatalf("fatal %v, acked %d", r.fatal, r.j.acked)
			}
			if name == "another history" && !errors.Is(r.fatal, errHash) {
				t.Fatalf("cause is lost: %v", r.fatal)
			}
		})
	}
}

func TestUplinkSendsAgainOnceForAHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUp(t)
		r.j.add(2*wire.MaxBatch, 1)
		r.connect(0)
		r.firsts()
		hole := r.j.ack(50)
		hole.Resend = true
		r.give(r.hq.ack(r.j.ack(50)), r.hq.ack(hole), r.hq.ack(hole))
		if got := r.firsts(); len(got) != 2 || got[0] != 51 {
			t.Fatalf("resent %v, want from 51 once", got)
		}
		<-time.After(3 * time.Second)
		r.give(r.hq.ack(hole))
		if got := r.firsts(); len(got) != 2 || got[0] != 51 {
			t.Fatalf("resent %v after a while, want from 51", got)
		}
	})
}

func TestUplinkStartsAgainWhenNothingMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUp(t)
		r.j.add(10, 1)
		r.connect(0)
		r.firsts()
		births := r.births
		<-time.After(29 * time.Second)
		r.u.stall(time.Now())
		if r.births != births {
			t.Fatal("started again too early")
		}
		<-time.After(2 * time.Second)
		r.u.stall(time.Now())
		r.give(r.hq.ack(r.j.ack(4)))
		r.others()
		if got := r.firsts(); r.births != births+1 || len(got) != 1 || got[0] != 5 {
			t.Fatalf("births %d, sent %v", r.births-births, got)
		}
		r.give(r.hq.ack(r.j.ack(10)))
		births = r.births
		<-time.After(time.Hour)
		r.u.stall(time.Now())
		if r.births != births {
			t.Fatal("started again with nothing under way")
		}
	})
}

func TestUplinkForgetsWhatAConnectionTook(t *testing.T) {
	r := newUp(t)
	r.j.add(10, 1)
	r.connect(0)
	r.firsts()
	r.give(Message{Kind: Down})
	r.j.add(1, 1)
	if r.give(Message{Kind: Up}); len(r.sent) != 0 {
		t.Fatal("sent without a connection")
	}
	r.connect(0)
	if got := r.firsts(); len(got) != 1 || got[0] != 1 {
		t.Fatalf("on the next connection: %v", got)
	}
}

func TestUplinkIsBornAgainForEachSessionOfHQ(t *testing.T) {
	r := newUp(t)
	r.connect(0)
	births := r.births
	r.give(r.hq.state("s1", true))
	if r.births != births {
		t.Fatal("born twice for one session")
	}
	r.give(r.hq.state("s2", true))
	if r.births != births+1 {
		t.Fatalf("born %d times for the next session", r.births-births)
	}
}

func TestUplinkTriesAgainWhenSendingFails(t *testing.T) {
	r := newUp(t)
	r.j.add(3, 1)
	r.down = ErrOffline
	r.connect(0)
	r.down = nil
	r.u.pump(t.Context())
	if got := r.firsts(); len(got) != 1 || got[0] != 1 {
		t.Fatalf("sent %v", got)
	}
}

// TestUplinkGoesBackWithHQ: HQ was restored from a backup and the broker still
// has what HQ said before.
func TestUplinkGoesBackWithHQ(t *testing.T) {
	r := newUp(t)
	r.j.add(100, 1)
	r.connect(90)
	r.firsts()
	retained := r.hq.ack(r.j.ack(90))
	retained.Retained = true
	r.give(Message{Kind: Down}, Message{Kind: Up}, retained, r.hq.state("s2", true), Message{Kind: Ready}, retained)
	if got := r.firsts(); len(got) != 0 {
		t.Fatalf("sent %v on the word of the broker", got)
	}
	r.give(r.hq.ack(r.j.ack(40)))
	if got := r.firsts(); len(got) != 1 || got[0] != 41 || r.j.acked != 90 || r.fatal != nil {
		t.Fatalf("sent %v, acknowledged %d, fatal %v", got, r.j.acked, r.fatal)
	}
}

func TestUplinkComparesAnOlderCursorToo(t *testing.T) {
	r := newUp(t)
	r.j.add(100, 1)
	r.j.acked = 90
	a := r.j.ack(40)
	a.Hash[3]++
	r.give(Message{Kind: Up}, r.hq.state("s1", true), Message{Kind: Ready}, r.hq.ack(a))
	var c *Contradiction
	if !errors.As(r.fatal, &c) || c.Seq != 40 || c.Stream != wire.StreamCrossing || len(r.sent) != 0 {
		t.Fatalf("fatal %v, %d batches", r.fatal, len(r.sent))
	}
}

// TestUplinkWaitsForHQToGoOnWhereItBegins: HQ lacks what is kept no longer; its
// answer to the birth, which says so, goes on from there.
func TestUplinkWaitsForHQToGoOnWhereItBegins(t *testing.T) {
	r := newUp(t)
	r.j.add(100, 1)
	r.j.first, r.j.acked = 51, 90
	r.give(Message{Kind: Up}, r.hq.state("s1", true), Message{Kind: Ready}, r.hq.ack(r.j.ack(20)))
	if len(r.sent) != 0 || r.fatal != nil || r.count(causeGone) != 1 {
		t.Fatalf("%d batches, fatal %v, counters %v", len(r.sent), r.fatal, r.u.counters.snapshot())
	}
	r.give(r.hq.ack(r.j.ack(50)))
	if got := r.firsts(); len(got) != 1 || got[0] != 51 {
		t.Fatalf("sent %v", got)
	}
}

func TestUplinkDoesNotStopTheGateForAFullDisk(t *testing.T) {
	r := newUp(t)
	r.j.add(10, 1)
	r.connect(3)
	r.j.fail = fmt.Errorf("%w: no space left", ErrNotNow)
	r.give(r.hq.ack(r.j.ack(5)))
	if r.fatal != nil || r.j.acked != 3 || r.count(causeStore) != 1 {
		t.Fatalf("fatal %v, acknowledged %d", r.fatal, r.j.acked)
	}
	r.j.fail = nil
	r.give(r.hq.ack(r.j.ack(5)))
	if r.j.acked != 5 {
		t.Fatalf("acknowledged %d", r.j.acked)
	}
}
