package link

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bordergate/sync/wire"
)

const testID = "00112233445566778899aabbccddeeff"

// commandRig is a Downlink that keeps the orders it passes on.
func commandRig(t *testing.T) (*downRig, *[]Order) {
	t.Helper()
	r := newDown(t)
	var orders []Order
	r.d.opts.OnCommand = func(o Order) { orders = append(orders, o) }
	r.d.opts.Boot = func(uint64) string { return "boot-1" }
	return r, &orders
}

func testCommand() wire.Command {
	return wire.Command{ID: testID, Boot: "boot-1", Do: wire.DoMode, Mode: wire.ModeClosed}
}

func timed(h *wire.Header) {
	h.Seq, h.Iat = 5, time.Now().UnixMilli()
	h.Exp = h.Iat + time.Minute.Milliseconds()
}

func (r *downRig) command(c wire.Command, change ...func(*wire.Header)) Message {
	return r.hq.message(wire.RoleCommand, wire.TypeCommand, wire.Down(testGate, "cmd"), testGate, c,
		append([]func(*wire.Header){timed}, change...)...)
}

func TestCommandIsPassedOnWithItsNumber(t *testing.T) {
	r, orders := commandRig(t)
	r.give(r.command(testCommand()))
	if len(*orders) != 1 || (*orders)[0].Seq != 5 || (*orders)[0].Late != "" || (*orders)[0].Mode != wire.ModeClosed {
		t.Fatalf("orders %+v, counters %v", *orders, r.d.counters.snapshot())
	}
}

func TestCommandsRefusedUnanswered(t *testing.T) {
	topic := wire.Down(testGate, "cmd")
	for name, tc := range map[string]struct {
		message func(*downRig) Message
		cause   string
	}{
		"retained": {func(r *downRig) Message {
			m := r.command(testCommand())
			m.Retained = true
			return m
		}, causeRetained},
		"forged": {func(r *downRig) Message {
			r.hq.roles[wire.RoleCommand] = testSigner("other", wire.RoleCommand)
			return r.command(testCommand())
		}, "unknown_key"},
		"under the head's key": {func(r *downRig) Message {
			return r.hq.message(wire.RoleHead, wire.TypeCommand, topic, testGate, testCommand(), timed)
		}, "wrong_role"},
		"under an officer's key": {func(r *downRig) Message {
			r.hq.roles[wire.RoleCommand] = testSigner("officer-1", wire.RoleOfficer)
			return r.command(testCommand())
		}, "unknown_key"},
		"to another gate": {func(r *downRig) Message {
			return r.command(testCommand(), func(h *wire.Header) { h.To = "lane-2" })
		}, "address"},
		"to all": {func(r *downRig) Message {
			return r.command(testCommand(), func(h *wire.Header) { h.To = wire.ToAll })
		}, "address"},
		"another gate's, sent here": {func(r *downRig) Message {
			return r.command(testCommand(), func(h *wire.Header) { h.Topic = wire.Down("lane-2", "cmd") })
		}, causeTopic},
		"on another gate's topic": {func(r *downRig) Message {
			m := r.command(testCommand())
			m.Topic = wire.Down("lane-2", "cmd")
			return m
		}, causeTopic},
		"another message as command": {func(r *downRig) Message {
			return r.hq.message(wire.RoleCommand, wire.TypeHead, topic, testGate, testCommand(), timed)
		}, "type"},
		"of a later version": {func(r *downRig) Message {
			return r.command(testCommand(), func(h *wire.Header) { h.Ver = 2 })
		}, "version"},
		"truncated": {func(r *downRig) Message {
			m := r.command(testCommand())
			m.Payload = m.Payload[:len(m.Payload)/2]
			return m
		}, "form"},
		"oversized": {func(r *downRig) Message {
			m := r.command(testCommand())
			m.Payload = append(m.Payload, bytes.Repeat([]byte{'A'}, wire.MaxMessage)...)
			return m
		}, causeTooLarge},
		"changed on its way": {func(r *downRig) Message {
			m := r.command(testCommand())
			m.Payload = append([]byte{}, m.Payload...)
			m.Payload[bytes.IndexByte(m.Payload, '.')+4] ^= 1
			return m
		}, "signature"},
		"without an expiry": {func(r *downRig) Message {
			return r.command(testCommand(), func(h *wire.Header) { h.Exp = 0 })
		}, CauseCommandMalformed},
		"good for a day": {func(r *downRig) Message {
			return r.command(testCommand(), func(h *wire.Header) { h.Exp += 24 * time.Hour.Milliseconds() })
		}, CauseCommandMalformed},
		"without a number": {func(r *downRig) Message {
			return r.command(testCommand(), func(h *wire.Header) { h.Seq = 0 })
		}, CauseCommandMalformed},
		"unknown order": {func(r *downRig) Message {
			return r.command(wire.Command{ID: testID, Boot: "boot-1", Do: "open"})
		}, CauseCommandMalformed},
		"maintenance": {func(r *downRig) Message {
			return r.command(wire.Command{ID: testID, Boot: "boot-1", Do: wire.DoMode, Mode: "maintenance"})
		}, CauseCommandMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			r, orders := commandRig(t)
			r.give(tc.message(r))
			if len(*orders) != 0 || r.count(tc.cause) != 1 {
				t.Fatalf("orders %+v, counters %v", *orders, r.d.counters.snapshot())
			}
		})
	}
}

func TestLateCommands(t *testing.T) {
	untrusted := func(r *downRig) {
		r.d.opts.Now = func() (time.Time, bool) { return time.Now().AddDate(-9, 0, 0), false }
	}
	later := func(r *downRig) { // headquarters has said a later time since
		r.give(r.hq.message(wire.RoleHead, wire.TypeHead, wire.TopicHead, wire.ToAll,
			wire.Head{Epoch: r.hq.epoch, Issued: time.Now().Add(2 * time.Minute).UnixNano()}))
	}
	for name, tc := range map[string]struct {
		before  func(*downRig)
		command wire.Command
		late    string
	}{
		"in time":                       {func(*downRig) {}, testCommand(), ""},
		"over by the clock":             {func(r *downRig) { r.d.opts.Now = func() (time.Time, bool) { return time.Now().Add(time.Hour), true } }, testCommand(), "its time is over"},
		"untrusted clock, in time":      {untrusted, testCommand(), ""},
		"untrusted clock, over by head": {func(r *downRig) { untrusted(r); later(r) }, testCommand(), "its time is over"},
		"of an earlier connection":      {untrusted, wire.Command{ID: testID, Boot: "boot-0", Do: wire.DoRestart}, "an earlier connection"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, orders := commandRig(t)
				tc.before(r)
				r.give(r.command(tc.command))
				if len(*orders) != 1 || (tc.late == "") != ((*orders)[0].Late == "") || !strings.Contains((*orders)[0].Late, tc.late) {
					t.Fatalf("orders %+v, counters %v", *orders, r.d.counters.snapshot())
				}
			})
		})
	}
}

// FuzzCommandMessage passes on nothing but what headquarters has signed.
func FuzzCommandMessage(f *testing.F) {
	k := testSigner("command", wire.RoleCommand)
	topic := wire.Down(testGate, "cmd")
	h := wire.Header{Typ: wire.TypeCommand, Ver: 1, To: testGate, Topic: topic, Seq: 5, Iat: 1, Exp: 2}
	good, err := wire.SignJSON(k, h, testCommand())
	if err != nil {
		f.Fatal(err)
	}
	ring, err := wire.NewKeyring(k.Public())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-3])
	f.Add([]byte("a.b.c"))
	f.Fuzz(func(t *testing.T, b []byte) {
		passed := false
		d := newDownlink(DownlinkOptions{
			Gate: testGate, Ring: ring, OnCommand: func(Order) { passed = true },
			Boot: func(uint64) string { return "boot-1" },
		}, newCounters())
		d.handle(Message{Kind: Received, Topic: topic, Payload: b, Ack: func() {}})
		if passed != bytes.Equal(b, good) {
			t.Fatalf("passed on %v: %q", passed, b)
		}
	})
}
