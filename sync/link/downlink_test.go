package link

import (
	"crypto/hpke"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bordergate/sync/wire"
)

// downRig drives a Downlink without its goroutine.
type downRig struct {
	t       *testing.T
	hq      *fakeHQ
	key     hpke.PrivateKey
	acc     *fakeAccounts
	d       *Downlink
	hellos  []wire.Hello
	applied []wire.Applied
}

func newDown(t *testing.T) *downRig {
	t.Helper()
	key, err := wire.NewSealKey()
	if err != nil {
		t.Fatal(err)
	}
	r := &downRig{t: t, hq: newFakeHQ(t), key: key, acc: newFakeAccounts()}
	r.d = newDownlink(DownlinkOptions{
		Gate: testGate, Ring: r.hq.ring, Key: key, Accounts: r.acc,
		OnChange: func(id string) { r.acc.log = append(r.acc.log, "change "+id) },
		Say: func(_ string, v any) {
			switch v := v.(type) {
			case wire.Hello:
				r.hellos = append(r.hellos, v)
			case wire.Applied:
				r.applied = append(r.applied, v)
			}
		},
	}, newCounters())
	r.give(r.hq.key(key.PublicKey()))
	return r
}

func (r *downRig) give(m ...Message) {
	for _, m := range m {
		r.d.handle(m)
	}
}

func (r *downRig) count(cause string) uint64 { return r.d.counters.snapshot()[cause] }

func put(account string) wire.Change {
	return wire.Change{Op: wire.OpPut, Account: account, Ver: 1, Status: wire.StatusActive, Level: 2, Kind: wire.KindCitizen}
}

func status(account string, ver uint64, s wire.Status, a wire.Action, g wire.Ground) wire.Change {
	return wire.Change{Op: wire.OpStatus, Account: account, Ver: ver, Status: s, Decision: &wire.Decision{
		ID: strings.Repeat("0123", 8), Action: a, Role: wire.DeciderCommander, Ground: g, By: "0f", At: 1,
	}}
}

func suspend(account string, ver uint64) wire.Change {
	return status(account, ver, wire.StatusSuspended, wire.ActionSuspend, wire.GroundSecurity)
}

func restore(account string, ver uint64) wire.Change {
	return status(account, ver, wire.StatusActive, wire.ActionRestore, wire.GroundCleared)
}

func TestSuspensionBitesBeforeItsCommitRestorationAfter(t *testing.T) {
	r := newDown(t)
	r.give(r.hq.live(r.hq.delta(put("a"))))
	r.acc.log = nil
	r.give(r.hq.live(r.hq.delta(suspend("a", 2))))
	equalLogs(t, r.acc.log, []string{"overlay a", "change a", "commit a"})
	r.acc.log = nil
	r.give(r.hq.live(r.hq.delta(restore("a", 3))))
	equalLogs(t, r.acc.log, []string{"commit a", "change a"})
	last := r.applied[len(r.applied)-1]
	if last.Cursor != 3 || len(last.Decisions) != 1 || last.Decisions[0].At == 0 || last.Decisions[0].Mono == 0 {
		t.Fatalf("reported %+v", last)
	}
}

func TestUrgentBitesAtOnceAndIsReportedWithItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newDown(t)
		r.give(r.hq.live(r.hq.delta(put("a"))))
		d := r.hq.delta(suspend("a", 2))
		r.acc.log, r.applied = nil, nil
		r.give(r.hq.message(wire.RoleDelta, wire.TypeUrgent, wire.TopicUrgent, wire.ToAll, d))
		equalLogs(t, r.acc.log, []string{"overlay a", "change a"})
		if len(r.applied) != 0 || r.acc.seq != 1 {
			t.Fatalf("committed by an urgent message: cursor %d", r.acc.seq)
		}
		bit := time.Now().UnixNano()
		<-time.After(time.Minute)
		r.give(r.hq.live(d))
		if len(r.applied) != 1 || r.applied[0].Decisions[0].At != bit {
			t.Fatalf("reported %+v, want the time of the urgent message", r.applied)
		}
	})
}

func TestHoleIsAskedForAndBitesAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newDown(t)
		missed := r.hq.delta(put("a"), put("b"))
		late := r.hq.delta(suspend("a", 2))
		r.give(r.hq.live(late))
		equalLogs(t, r.acc.log, []string{"overlay a", "change a"})
		if len(r.hellos) != 1 || r.hellos[0].Cursor != 0 || r.count(causeGap) != 1 {
			t.Fatalf("asked %+v", r.hellos)
		}
		r.give(r.hq.live(late)) // asking again at once would flood HQ
		if len(r.hellos) != 1 {
			t.Fatalf("asked %d times", len(r.hellos))
		}
		topic := wire.Down(testGate, wire.TypeDelta)
		r.give(r.hq.message(wire.RoleDelta, wire.TypeDelta, topic, testGate, missed))
		r.give(r.hq.message(wire.RoleDelta, wire.TypeDelta, topic, testGate, late))
		if r.acc.seq != 3 || r.acc.status["a"] != wire.StatusSuspended {
			t.Fatalf("cursor %d after the replay", r.acc.seq)
		}
		<-time.After(3 * time.Second)
		r.d.tick(time.Now())
		if len(r.hellos) != 2 || r.hellos[1].Cursor != 3 {
			t.Fatalf("asked %+v later", r.hellos)
		}
	})
}

// TestDownlinkAsksForTheGroupKeyItMissed holds that a key that was lost on its
// way does not keep the gate from the log until its next connection.
func TestDownlinkAsksForTheGroupKeyItMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newDown(t)
		d := r.hq.delta(put("a"))
		d.Key = "g9"
		r.give(r.hq.live(d))
		<-time.After(3 * time.Second)
		r.d.tick(time.Now())
		if n := len(r.hellos); n == 0 || !r.hellos[n-1].NoKey {
			t.Fatalf("asked %+v without the key", r.hellos)
		}
		key, err := wire.SealGroupKey(r.d.opts.Key.PublicKey(), testGate, "g9", r.hq.group)
		if err != nil {
			t.Fatal(err)
		}
		r.give(r.hq.message(wire.RoleDelta, wire.TypeKey, wire.Down(testGate, wire.TypeKey), testGate, key))
		r.d.repeat()
		if n := len(r.hellos); r.hellos[n-1].NoKey {
			t.Fatalf("asked %+v with the key", r.hellos)
		}
	})
}

func TestReplaySharesItsBeginningWithWhatIsKnown(t *testing.T) {
	r := newDown(t)
	whole := *r.hq
	first := r.hq.delta(put("a"))
	r.give(r.hq.live(first))
	both := whole.delta(put("a"), put("b")) // HQ sends whole stored messages
	r.give(r.hq.live(both), r.hq.live(both), r.hq.live(first))
	if r.acc.seq != 2 || r.count(causeDuplicate) != 2 {
		t.Fatalf("cursor %d, counters %v", r.acc.seq, r.d.counters.snapshot())
	}
}

func TestUnlawfulChangeTakesItsPlaceOnly(t *testing.T) {
	unlawful := suspend("a", 2)
	unlawful.Decision.Role = "clerk"
	cancel := status("a", 2, wire.StatusCancelled, wire.ActionCancel, wire.GroundSecurity)
	for name, tc := range map[string][]wire.Change{
		"decider":                        {put("a"), unlawful},
		"put over a suspension":          {put("a"), suspend("a", 2), put("a")},
		"restoration of a cancelled one": {put("a"), cancel, restore("a", 3)},
	} {
		t.Run(name, func(t *testing.T) {
			r := newDown(t)
			r.give(r.hq.live(r.hq.delta(tc...)), r.hq.live(r.hq.delta(put("z"))))
			if r.acc.seq != uint64(len(tc))+1 || r.acc.log[len(r.acc.log)-3] != "skip" && !slices.Contains(r.acc.log, "skip") {
				t.Fatalf("cursor %d, log %q", r.acc.seq, r.acc.log)
			}
			rep := r.applied[0]
			if len(rep.Refused) != 1 || rep.Refused[0].Seq != uint64(len(tc)) || rep.Refused[0].Why == "" {
				t.Fatalf("reported %+v", rep.Refused)
			}
			if strings.Contains(rep.Refused[0].Why, "a-") || r.count(causeRefused) != 1 {
				t.Fatalf("counters %v", r.d.counters.snapshot())
			}
		})
	}
}

func TestDownlinkRefuses(t *testing.T) {
	past := func(h *wire.Header) { h.Exp = time.Now().Add(-time.Second).UnixMilli() }
	for name, tc := range map[string]struct {
		message func(*downRig) Message
		cause   string
	}{
		"retained delta": {func(r *downRig) Message {
			m := r.hq.live(r.hq.delta(suspend("a", 1)))
			m.Retained = true
			return m
		}, causeRetained},
		"forged delta": {func(r *downRig) Message {
			r.hq.roles[wire.RoleDelta] = testSigner("other", wire.RoleDelta)
			return r.hq.live(r.hq.delta(suspend("a", 1)))
		}, "unknown_key"},
		"delta under the head's key": {func(r *downRig) Message {
			return r.hq.message(wire.RoleHead, wire.TypeDelta, wire.TopicDelta, wire.ToAll, r.hq.delta(suspend("a", 1)))
		}, "wrong_role"},
		"delta for another gate": {func(r *downRig) Message {
			return r.hq.message(wire.RoleDelta, wire.TypeDelta, wire.Down(testGate, wire.TypeDelta), "lane-2", r.hq.delta(put("a")))
		}, "address"},
		"delta as urgent": {func(r *downRig) Message {
			m := r.hq.live(r.hq.delta(suspend("a", 1)))
			m.Topic = wire.TopicUrgent
			return m
		}, "type"},
		"expired urgent": {func(r *downRig) Message {
			return r.hq.message(wire.RoleDelta, wire.TypeUrgent, wire.TopicUrgent, wire.ToAll, r.hq.delta(suspend("a", 1)), past)
		}, "expired"},
		"expired head": {func(r *downRig) Message {
			return r.hq.message(wire.RoleHead, wire.TypeHead, wire.TopicHead, wire.ToAll,
				wire.Head{Epoch: 7, Issued: time.Now().UnixNano()}, past)
		}, "expired"},
		"unknown group key": {func(r *downRig) Message {
			d := r.hq.delta(suspend("a", 1))
			d.Key = "g9"
			return r.hq.live(d)
		}, causeNoKey},
		"delta out of its place": {func(r *downRig) Message {
			d := r.hq.delta(suspend("a", 1))
			d.First++
			return r.hq.live(d)
		}, causeSealed},
		"record topic": {func(r *downRig) Message {
			return Message{Kind: Received, Topic: wire.UpRecords(testGate, wire.StreamAlarm), Ack: func() {}}
		}, causeTopic},
	} {
		t.Run(name, func(t *testing.T) {
			r := newDown(t)
			r.give(tc.message(r))
			if r.count(tc.cause) != 1 || r.acc.seq != 0 || len(r.acc.log) != 0 || len(r.acc.heads) != 0 {
				t.Fatalf("counters %v, log %q", r.d.counters.snapshot(), r.acc.log)
			}
		})
	}
}

func TestAnotherEpochIsRefused(t *testing.T) {
	r := newDown(t)
	r.give(r.hq.live(r.hq.delta(put("a"))))
	other := newFakeHQ(t)
	other.epoch = 8
	r.give(other.live(other.delta(suspend("a", 2), put("b"))), other.head())
	if r.acc.seq != 1 || r.count(causeEpoch) != 2 || slices.Contains(r.acc.log, "overlay a") {
		t.Fatalf("cursor %d, counters %v", r.acc.seq, r.d.counters.snapshot())
	}
}

func TestHeadFromThePastIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newDown(t)
		old := r.hq.head()
		<-time.After(time.Second)
		r.give(r.hq.live(r.hq.delta(put("a"))), r.hq.head(), old)
		if len(r.acc.heads) != 1 || r.count(causeReplayed) != 1 {
			t.Fatalf("%d heads, counters %v", len(r.acc.heads), r.d.counters.snapshot())
		}
	})
}

func TestClockWithoutTrustJudgesNoExpiry(t *testing.T) {
	r := newDown(t)
	r.d.opts.Now = func() (time.Time, bool) { return time.Now().AddDate(9, 0, 0), false }
	r.give(r.hq.message(wire.RoleDelta, wire.TypeUrgent, wire.TopicUrgent, wire.ToAll, r.hq.delta(suspend("a", 1)),
		func(h *wire.Header) { h.Exp = time.Now().Add(time.Minute).UnixMilli() }))
	equalLogs(t, r.acc.log, []string{"overlay a", "change a"})
}

func TestCatchingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newDown(t)
		if r.d.CatchingUp() {
			t.Fatal("catching up before any connection")
		}
		missed := r.hq.delta(suspend("a", 1))
		r.give(Message{Kind: Up}, Message{Kind: Ready})
		if !r.d.CatchingUp() {
			t.Fatal("not catching up on return")
		}
		r.give(r.hq.head())
		if !r.d.CatchingUp() {
			t.Fatal("caught up with a suspension missing")
		}
		r.give(r.hq.live(missed))
		if r.d.CatchingUp() {
			t.Fatal("still catching up at the head")
		}
		r.give(Message{Kind: Up})
		r.give(Message{Kind: Down})
		if r.d.CatchingUp() {
			t.Fatal("catching up without a link")
		}
		r.give(Message{Kind: Up})
		<-time.After(11 * time.Second)
		r.d.tick(time.Now())
		if r.d.CatchingUp() {
			t.Fatal("catching up has no bound")
		}
	})
}

// TestHeadOfBeforeEndsNoCatchingUp: the gate had a head and was behind it when
// the link went; what HQ decided meanwhile lies beyond that head.
func TestHeadOfBeforeEndsNoCatchingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newDown(t)
		first := r.hq.delta(put("a"))
		r.give(Message{Kind: Up}, r.hq.head(), Message{Kind: Down})
		missed := r.hq.delta(suspend("a", 2))
		r.give(Message{Kind: Up}, r.hq.live(first))
		if !r.d.CatchingUp() {
			t.Fatal("caught up with the head of before")
		}
		r.give(r.hq.head())
		if !r.d.CatchingUp() {
			t.Fatal("caught up with a suspension missing")
		}
		r.give(r.hq.live(missed))
		if r.d.CatchingUp() {
			t.Fatal("still catching up at the head")
		}
	})
}

func TestHeadAheadForLongIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newDown(t)
		r.hq.delta(put("a")) // lost on its way
		r.give(r.hq.head())
		<-time.After(4 * time.Second)
		r.d.tick(time.Now())
		if len(r.hellos) != 0 {
			t.Fatal("asked too early")
		}
		<-time.After(2 * time.Second)
		r.d.tick(time.Now())
		if len(r.hellos) != 1 {
			t.Fatalf("asked %d times", len(r.hellos))
		}
	})
}

func TestFailedCommitIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newDown(t)
		r.acc.fail = errors.New("disk full")
		d := r.hq.delta(suspend("a", 1))
		r.give(r.hq.live(d))
		if len(r.applied) != 0 || r.count(causeStore) != 1 {
			t.Fatalf("reported %+v", r.applied)
		}
		<-time.After(3 * time.Second)
		r.d.tick(time.Now())
		if len(r.hellos) != 1 {
			t.Fatalf("asked %d times", len(r.hellos))
		}
		r.acc.fail = nil
		r.give(r.hq.live(d))
		if r.acc.seq != 1 {
			t.Fatalf("cursor %d", r.acc.seq)
		}
	})
}

func TestReportIsRepeatedToANewSessionOfHQ(t *testing.T) {
	r := newDown(t)
	r.give(r.hq.live(r.hq.delta(put("a"))), r.hq.live(r.hq.delta(suspend("a", 2))))
	first := r.applied[1]
	r.applied = nil
	r.d.repeat()
	if len(r.applied) != 1 || r.applied[0].Decisions[0] != first.Decisions[0] || len(r.hellos) != 1 {
		t.Fatalf("repeated %+v, asked %d times", r.applied, len(r.hellos))
	}
}
