package board

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// powered is a board whose hooks and log the test can look at.
func powered(t *testing.T, change func(*Options)) *Board {
	t.Helper()
	o := DefaultOptions()
	o.Link = filepath.Join(t.TempDir(), "barrier")
	if change != nil {
		change(&o)
	}
	b, err := New(o)
	if err != nil {
		t.Skipf("this machine has no pty: %v", err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b
}

// dial opens the daemon's end of the board's line.
func dial(t *testing.T, b *Board) *os.File {
	t.Helper()
	fd, err := unix.Open(b.opts.Link, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), b.opts.Link)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	p, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ask sends the request and wants exactly the answer.
func ask(t *testing.T, f *os.File, request, answer string) {
	t.Helper()
	if _, err := f.Write(unhex(t, request)); err != nil {
		t.Fatal(err)
	}
	want := unhex(t, answer)
	got := make([]byte, 0, 64)
	buf := make([]byte, 64)
	if err := f.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for len(got) < len(want) {
		n, err := f.Read(buf)
		if err != nil {
			t.Fatalf("%s: %v after % X", request, err, got)
		}
		got = append(got, buf[:n]...)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: answered % X, want %s", request, got, answer)
	}
}

// The frames that facts and vendors publish, with their own checksums.
func TestPublishedFrames(t *testing.T) {
	b := powered(t, func(o *Options) { o.Inputs = 8 })
	f := dial(t, b)
	ask(t, f, "01 05 00 00 FF 00 8C 3A", "01 05 00 00 FF 00 8C 3A")
	if !b.Outputs()[0] {
		t.Error("relay 0 is not on")
	}
	ask(t, f, "01 01 00 00 00 08 3D CC", "01 01 01 01 90 48")
	ask(t, f, "01 05 00 00 00 00 CD CA", "01 05 00 00 00 00 CD CA")
	ask(t, f, "01 02 00 00 00 08 79 CC", sealed("01 02 01 EC"))
	ask(t, f, "01 05 02 00 00 07 8D B0", "01 05 02 00 00 07 8D B0")
	if g := b.Grants(); len(g) != 2 || g[1].Duration != 700*time.Millisecond || g[1].Channel != 0 {
		t.Errorf("grants %+v", g)
	}
	ask(t, f, "01 05 04 00 00 08 CD 3C", "01 05 04 00 00 08 CD 3C")
	ask(t, f, "01 0F 00 00 00 08 01 00 FE 95", "01 0F 00 00 00 08 54 0D")
	if b.Outputs()[0] {
		t.Error("relay 0 is still on")
	}
}

// sealed appends the checksum to a frame of the test.
func sealed(s string) string {
	p, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err) // the test's own text
	}
	return hex.EncodeToString(seal(p))
}

func TestWhatABoardRefuses(t *testing.T) {
	b := powered(t, nil)
	f := dial(t, b)
	for request, code := range map[string]string{
		"01 05 00 08 FF 00":             "01 85 02",
		"01 05 00 00 12 34":             "01 85 03",
		"01 05 03 00 00 01":             "01 85 02",
		"01 05 00 FF FF FF":             "01 85 02",
		"01 01 00 07 00 02":             "01 81 02",
		"01 02 00 00 00 11":             "01 82 02",
		"01 02 00 00 00 00":             "01 82 03",
		"01 07 00 00 00 00":             "01 87 01",
		"01 03 20 00 00 01":             "01 83 02",
		"01 0F 00 00 00 08 02 00 00":    "01 8F 03",
		"01 0F 00 04 00 08 01 00":       "01 8F 02",
		"01 06 00 00 00 02":             "01 86 03",
		"01 10 10 07 00 02 04 00000000": "01 90 02",
	} {
		ask(t, f, sealed(request), sealed(code))
	}
	if c := b.Changes(); len(c) != 0 {
		t.Errorf("a refused request changed outputs: %+v", c)
	}
}

func TestRegistersHoldModesAndRelays(t *testing.T) {
	b := powered(t, nil)
	b.SetMode(1, 2)
	f := dial(t, b)
	ask(t, f, sealed("01 03 10 00 00 02"), sealed("01 03 04 00 00 00 02"))
	ask(t, f, sealed("01 10 10 00 00 02 04 0001 0000"), sealed("01 10 10 00 00 02"))
	ask(t, f, sealed("01 03 10 00 00 02"), sealed("01 03 04 00 01 00 00"))
	ask(t, f, sealed("01 06 00 03 00 01"), sealed("01 06 00 03 00 01"))
	ask(t, f, sealed("01 03 00 02 00 02"), sealed("01 03 04 00 00 00 01"))
	ask(t, f, sealed("01 04 00 01 00 02"), sealed("01 04 04 00 00 00 01"))
}

func TestOtherUnitsAndBrokenFramesGetSilence(t *testing.T) {
	b := powered(t, nil)
	f := dial(t, b)
	// What must be ignored goes first; the answer that follows is the next
	// request's alone.
	if _, err := f.Write(unhex(t, sealed("02 05 00 00 FF 00"))); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(unhex(t, "01 05 00 00 FF 00 8C 3B")); err != nil {
		t.Fatal(err)
	}
	ask(t, f, sealed("01 01 00 00 00 08"), sealed("01 01 01 00"))
	if c := b.Counts(); c.Requests != 1 || c.Noise != 8 {
		t.Errorf("counts %+v", c)
	}
}

func TestTimedPulseEndsByItselfAndIsLogged(t *testing.T) {
	changed := make(chan Change, 16)
	log := filepath.Join(t.TempDir(), "board.log")
	b := powered(t, func(o *Options) {
		o.Log = log
		o.OnOutput = func(c Change) { changed <- c }
	})
	f := dial(t, b)
	ask(t, f, sealed("01 05 02 01 00 01"), sealed("01 05 02 01 00 01"))
	on, off := <-changed, <-changed
	if !on.On || !on.Unlock || on.Pulse != 100 || off.On || off.Channel != 1 {
		t.Errorf("changes %+v %+v", on, off)
	}
	if d := time.Duration(off.At - on.At); d < 100*time.Millisecond {
		t.Errorf("the pulse ended after %v", d)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var first Change
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil || first != on || len(lines) != 2 {
		t.Errorf("log %q: %v", text, err)
	}
}

func TestSecondPulseOnAnOpenRelayIsSeen(t *testing.T) {
	var hooks []int
	b := powered(t, func(o *Options) { o.OnUnlock = func(_ int64, ch int) { hooks = append(hooks, ch) } })
	f := dial(t, b)
	for range 2 {
		ask(t, f, sealed("01 05 02 00 00 64"), sealed("01 05 02 00 00 64"))
	}
	ask(t, f, sealed("01 05 00 03 FF 00"), sealed("01 05 00 03 FF 00"))
	if g := b.Grants(); len(g) != 2 || len(hooks) != 2 {
		t.Errorf("%d grants, %d hooks, want 2", len(g), len(hooks))
	}
}

func TestInputsPulseAndStick(t *testing.T) {
	b := powered(t, nil)
	f := dial(t, b)
	read := sealed("01 02 00 00 00 08")
	b.Pulse(0, time.Hour)
	ask(t, f, read, sealed("01 02 01 ED"))
	b.Pulse(0, 0) // replaces the long pulse with one that is over at once
	b.SetInput(0, false)
	b.Stick(4, true)
	b.SetInput(4, false)
	ask(t, f, read, sealed("01 02 01 FC"))
	b.Unstick(4)
	ask(t, f, read, sealed("01 02 01 EC"))
}

func TestFaults(t *testing.T) {
	on := sealed("01 05 00 02 FF 00")
	for name, c := range map[string]struct {
		fault Fault
		want  string
		acted bool
	}{
		"no reply":  {Fault{Kind: FaultNoReply, Count: 1}, "", true},
		"deaf":      {Fault{Kind: FaultDeaf, Count: 1}, "", false},
		"late":      {Fault{Kind: FaultLate, Count: 1, Delay: time.Millisecond}, on, true},
		"echo only": {Fault{Kind: FaultEchoOnly, Count: 1}, on, false},
		"echo":      {Fault{Kind: FaultEcho, Count: 1}, on + on, true},
		"truncated": {Fault{Kind: FaultTruncated, Count: 1}, on[:12], true},
		"checksum":  {Fault{Kind: FaultCRC, Count: 1}, on[:14] + hex.EncodeToString([]byte{unhexByte(on[14:]) ^ 0x10}), true},
		"exception": {Fault{Kind: FaultException, Count: 1}, sealed("01 85 04"), false},
		"unit":      {Fault{Kind: FaultUnit, Count: 1}, sealed("41 05 00 02 FF 00"), true},
		"other fn":  {Fault{Kind: FaultDeaf, Fn: 2, Count: 1}, on, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := powered(t, nil)
			b.Inject(c.fault)
			f := dial(t, b)
			ask(t, f, on, c.want)
			state := "00"
			if c.acted {
				state = "04"
			}
			ask(t, f, sealed("01 01 00 00 00 08"), sealed("01 01 01 "+state))
		})
	}
}

func unhexByte(s string) byte {
	p, err := hex.DecodeString(s)
	if err != nil || len(p) == 0 {
		return 0
	}
	return p[0]
}

func TestUnplugHangsUpAndReplugComesBackElsewhere(t *testing.T) {
	b := powered(t, nil)
	f := dial(t, b)
	ask(t, f, sealed("01 05 00 03 FF 00"), sealed("01 05 00 03 FF 00"))
	if err := b.Unplug(); err != nil {
		t.Fatal(err)
	}
	if err := f.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read of an unplugged line: %v", err)
	}
	if _, err := os.Lstat(b.opts.Link); !errors.Is(err, os.ErrNotExist) || b.Path() != "" {
		t.Errorf("the stable path is still there: %v", err)
	}
	if err := errors.Join(b.Unplug(), b.Replug(), b.Replug()); err != nil {
		t.Fatal(err)
	}
	ask(t, dial(t, b), sealed("01 01 00 00 00 08"), sealed("01 01 01 08"))
}

func TestCloseTwiceAndReplugAfterClose(t *testing.T) {
	b := powered(t, nil)
	if err := errors.Join(b.Close(), b.Close()); err != nil {
		t.Fatal(err)
	}
	if err := b.Replug(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Replug after Close: %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"no inputs":     func(o *Options) { o.Inputs = 0 },
		"many outputs":  func(o *Options) { o.Outputs = 65 },
		"broadcast":     func(o *Options) { o.Unit = 0 },
		"closed input":  func(o *Options) { o.Closed = []int{16} },
		"unlock output": func(o *Options) { o.Unlocks = []int{-1} },
		"on value":      func(o *Options) { o.OnValue = 0 },
	} {
		o := DefaultOptions()
		change(&o)
		if b, err := New(o); err == nil {
			_ = b.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}
