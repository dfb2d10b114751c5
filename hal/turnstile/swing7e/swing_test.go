package swing7e

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"bordergate/cmd/gatesim/board"
	"bordergate/hal"
	"bordergate/hal/haltest"
	"bordergate/hal/turnstile"
	"bordergate/hal/turnstile/boardtest"
)

// codes is the table of the simulated model.
func codes() Codes {
	return Codes{
		Fault:    map[byte][]string{0: {}, 5: {"out_of_service"}},
		Gate:     map[byte][]string{0: {}, 1: {"door_open"}, 0x0E: {"emergency", "door_open"}},
		Alarm:    map[byte][]string{0: {}, 3: {"tamper"}, 4: {"power_fail"}, 7: {"tamper", "power_fail"}, 9: {"tailgating"}},
		Infrared: map[byte][]string{0: {}, 1: {"presence"}, 2: {"obstruction"}, 3: {"presence", "obstruction"}},
		Command:  map[byte][]string{0: {}, 0x11: {"open_left"}, 0x12: {"open_right"}, 0x20: {"refused"}, 0x31: {"forbidden"}, 0x32: {"forbidden"}},
	}
}

func powered(t *testing.T) (*board.Board, Options) {
	t.Helper()
	bo := board.DefaultOptions()
	bo.Controller, bo.StartTimeout = board.Swing, 700*time.Millisecond
	b, path := boardtest.Power(t, bo)
	t.Cleanup(func() {
		if c := b.Counts(); c.Closes != 0 || c.Settings != 0 {
			t.Errorf("the board was told to close %d times, and to change its settings %d times", c.Closes, c.Settings)
		}
	})
	o := DefaultOptions()
	o.Port.Path, o.Codes = path, codes()
	o.Port.Baud = bo.Baud
	o.Poll, o.Passage, o.Settle = 50*time.Millisecond, 20*time.Second, 600*time.Millisecond
	return b, o
}

func TestConformance(t *testing.T) {
	haltest.RunTurnstile(t, func(t *testing.T) (hal.Turnstile, haltest.Rig) {
		b, o := powered(t)
		r := &boardtest.Rig{
			Board: b, Unlock: cmdOpenRight,
			Withdrawn: func() int { return b.Counts().Withdrawn },
			New:       func() (hal.Turnstile, error) { return New(o) },
			Has:       haltest.Traits{Lacks: []hal.Input{hal.InputPassEntry, hal.InputPassExit}, Ends: true},
		}
		return r.Restart(t), r
	})
}

type rig struct {
	*turnstile.Driver
	b *board.Board
}

func serve(t *testing.T, b *board.Board, o Options) rig {
	t.Helper()
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Serve(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return rig{d, b}
}

func (r rig) want(t *testing.T, k hal.EventKind, never ...hal.EventKind) hal.Event {
	t.Helper()
	return haltest.Want(t, r.Events(), k, never...)
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	p, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The frames that are published.
func TestCommandsEqualPublishedFrames(t *testing.T) {
	for _, c := range []struct {
		cmd, n byte
		want   string
	}{
		{cmdStatus, 0, "7E 00 01 10 00 00 00 70"},
		{cmdOpenLeft, 1, "7E 00 01 80 01 00 00 FF"},
		{cmdOpenRight, 1, "7E 00 01 82 01 00 00 FD"},
	} {
		if got := command(1, c.cmd, c.n); !bytes.Equal(got, unhex(t, c.want)) {
			t.Errorf("got % X, want %s", got, c.want)
		}
	}
}

func TestUnknownCodesAreFaultsAndGrantNothing(t *testing.T) {
	for _, c := range []struct {
		name  string
		place int
		lost  hal.Input // unknown for as long as it says so
	}{
		{"gate", board.SwingGate, hal.InputEmergency},
		{"infrared", board.SwingInfrared, hal.InputObstruction},
		{"fault", board.SwingFault, hal.InputReady},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b, o := powered(t)
			r := serve(t, b, o)
			r.want(t, hal.DeviceOnline)
			b.Say(c.place, 0x66)
			if e := r.want(t, hal.Fault); e.Code != hal.CodeDevice|uint32(c.place)<<8|0x66 || e.Raw == nil {
				t.Errorf("fault %+v", e)
			}
			if l := r.Snapshot().Level(c.lost); l != hal.Unknown {
				t.Errorf("%v is %v", c.lost, l)
			}
			err := r.Grant(t.Context(), hal.Grant{ID: hal.GrantID{1}, Dir: hal.Exit})
			if !errors.Is(err, hal.ErrUnknownInput) {
				t.Errorf("grant: %v", err)
			}
		})
	}
}

func TestAlarmCodesAreTold(t *testing.T) {
	t.Parallel()
	b, o := powered(t)
	r := serve(t, b, o)
	r.want(t, hal.DeviceOnline)
	g := hal.Grant{ID: hal.GrantID{1}, Dir: hal.Entry}
	if err := r.Grant(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	b.Say(board.SwingAlarm, 9)
	if e := r.want(t, hal.Tailgating); e.Grant != g.ID || e.Code != hal.CodeDevice|board.SwingAlarm<<8|9 {
		t.Errorf("told %+v", e)
	}
}

// A counter that one status shows and the next does not is nobody.
func TestCounterIsBelievedWhenRepeated(t *testing.T) {
	t.Parallel()
	st := func(left, right byte) status {
		return parse([]byte{statusStart, 1, 1, 0, 0, 0, 0, 0, left, 0, 0, right, 0, 0, 0, 0, 0, 0})
	}
	reply := func(s status) []byte {
		p := bytes.Clone(s.raw)
		p[17] = 0
		p[17] = ^sum(p)
		return p
	}
	ask := command(1, cmdStatus, 0)
	play := haltest.Play(t, []haltest.Exchange{
		{Sent: ask, Received: reply(st(4, 4))},
		{Sent: ask, Received: reply(st(5, 4))},
		{Sent: ask, Received: reply(st(4, 4))},
		{Sent: ask, Received: reply(st(5, 4))},
		{Sent: ask, Received: reply(st(5, 4))},
	})
	o := DefaultOptions()
	o.Codes = codes()
	g := &gate{o: &o, l: turnstile.NewLine(play, 19200, time.Millisecond)}
	for i, want := range []uint32{4, 4, 5} {
		s, err := g.Sample(t.Context())
		if err != nil || s.Count[hal.Entry] != want {
			t.Errorf("look %d: %d, %v; want %d", i, s.Count[hal.Entry], err, want)
		}
	}
}

func TestFieldsThatTellTheSameLevel(t *testing.T) {
	c := codes()
	c.Fault[9] = []string{"emergency"}
	raw := func(fault, gate byte) []byte {
		p := make([]byte, statusLen)
		p[atFault], p[atGate] = fault, gate
		return p
	}
	for _, x := range []struct {
		fault, gate byte
		want        hal.Level
	}{
		{0, 0, hal.Off},
		{9, 0, hal.On},
		{0, 0x0E, hal.On},
		{9, 0x0E, hal.On},
		{0x77, 0, hal.Unknown},
		{0, 0x77, hal.Unknown},
		{0x77, 0x0E, hal.On},
		{9, 0x77, hal.On},
	} {
		if levels, _ := c.read(raw(x.fault, x.gate)); levels[hal.InputEmergency] != x.want {
			t.Errorf("fault %#x and gate %#x: %v, want %v", x.fault, x.gate, levels[hal.InputEmergency], x.want)
		}
	}
}

func TestOptionsSayEveryFaultAtOnce(t *testing.T) {
	o := DefaultOptions()
	o.Unit, o.Left, o.Poll, o.Rest = 0, 0, time.Millisecond, time.Second
	o.Codes.Alarm = map[byte][]string{1: {"flood"}, 2: {"open_left"}}
	_, err := New(o)
	if !errors.Is(err, hal.ErrInvalid) {
		t.Fatalf("accepted: %v", err)
	}
	for _, part := range []string{
		"no port", "unit 0", "left side", "poll", "rest", `"flood" is not`, `"open_left" is not`, "no code tells of emergency", "no code tells of ready",
		"command says open_right",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("nothing about %q in %v", part, err)
		}
	}
}

// A side that was forbidden to withdraw a grant does not stay forbidden because
// the board missed that it was lifted.
func TestLiftIsRepeatedUntilItIsSeen(t *testing.T) {
	t.Parallel()
	b, o := powered(t)
	r := serve(t, b, o)
	r.want(t, hal.DeviceOnline)
	g := hal.Grant{ID: hal.GrantID{1}, Dir: hal.Exit}
	if err := r.Grant(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	b.Inject(board.Fault{Kind: board.FaultDeaf, Fn: cmdLift, Count: 1})
	if err := r.Revoke(t.Context(), g.ID); err != nil {
		t.Fatal(err)
	}
	n := byte(1)
	haltest.Until(t, "the side lifted", func() bool {
		n++
		return r.Grant(t.Context(), hal.Grant{ID: hal.GrantID{n}, Dir: hal.Exit}) == nil
	})
}

// A line that never stops is bounded, counted, and no device.
func TestGarbageIsCountedAndNoDevice(t *testing.T) {
	t.Parallel()
	b, o := powered(t)
	r := serve(t, b, o)
	r.want(t, hal.DeviceOnline)
	b.Inject(board.Fault{Kind: board.FaultCRC, Count: -1})
	r.want(t, hal.DeviceOffline)
	if n := r.Snapshot().Noise; n < 3*statusLen {
		t.Errorf("%d bytes of noise", n)
	}
	b.Heal()
	r.want(t, hal.DeviceOnline)
}

// FuzzStatus holds that nothing on the wire is taken for a status without its
// sum, that one at the end is found behind anything, and that no table makes a
// status crash.
func FuzzStatus(f *testing.F) {
	good := []byte{statusStart, 1, 1, 0, 0, 0, 0, 0, 9, 0, 0, 7, 3, 0x11, 24, 0, 0, 0}
	good[17] = ^sum(good)
	f.Add([]byte{}, byte(1))
	f.Add(good, byte(1))
	f.Add(append([]byte{statusStart, statusStart, 0, 1}, good...), byte(1))
	f.Add(bytes.Repeat([]byte{statusStart}, 80), byte(0x7F))
	table := codes()
	f.Fuzz(func(t *testing.T, p []byte, unit byte) {
		data, done, err := findStatus(unit, p)
		if !done && len(p) >= mostHeld {
			t.Fatal("waits for ever")
		}
		if data != nil {
			if len(data) != statusLen || sum(data) != 0xFF || data[2] != unit || err != nil {
				t.Fatalf("believed % X", data)
			}
			st := parse(data)
			if st.left >= 1<<24 || st.right >= 1<<24 {
				t.Fatalf("counters %d and %d", st.left, st.right)
			}
			table.read(st.raw)
		}
		if unit == 1 {
			if got, done, err := findStatus(1, append(bytes.Clone(p), good...)); !done || err != nil || !bytes.Equal(got, good) {
				t.Fatalf("a status behind % X is not found", p)
			}
		}
	})
}
