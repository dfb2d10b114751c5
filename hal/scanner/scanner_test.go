package scanner

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"bordergate/hal"
	"bordergate/hal/port"
)

// device plays a scanner at the far end of a pty. It answers what its dialect
// asks, unless it is mute, and reports every command it gets.
type device struct {
	far, slave *os.File
	got        chan string
	mute       bool
	done       chan struct{}
}

// commandsOf splits what the host sends into what the tests wait for.
func commandsOf() []string {
	return []string{
		"\x16T\r", "\x16U\r", "\x16\x07\r", "\x16M\rREVINF.",
		string(ssiPacket(ssiStart)), string(ssiPacket(ssiStop)), string(ssiPacket(ssiRevision)), string(ssiPacket(ssiAck)), string(ssiPacket(ssiNak, 1)),
	}
}

func plug(t *testing.T, mute bool) *device {
	t.Helper()
	far, slave, err := pty.Open()
	if err != nil {
		t.Skipf("this machine has no pty: %v", err)
	}
	// A descriptor of its own that the poller knows: closing it ends a read.
	fd, err := unix.Dup(int(far.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.SetNonblock(fd, true), far.Close()); err != nil {
		t.Fatal(err)
	}
	far = os.NewFile(uintptr(fd), "scanner")
	d := &device{far: far, slave: slave, got: make(chan string, 64), mute: mute, done: make(chan struct{})}
	go d.serve()
	t.Cleanup(d.unplug)
	return d
}

func (d *device) unplug() {
	_ = d.far.Close()
	_ = d.slave.Close()
	<-d.done
}

func (d *device) serve() {
	defer close(d.done)
	var buf []byte
	b := make([]byte, 256)
	for {
		n, err := d.far.Read(b)
		if err != nil {
			return
		}
		buf = append(buf, b[:n]...)
		for again := true; again; {
			again = false
			for _, c := range commandsOf() {
				if rest, ok := bytes.CutPrefix(buf, []byte(c)); ok {
					buf, again = rest, true
					d.react(c)
				}
			}
		}
	}
}

func (d *device) react(c string) {
	revision := []byte{6, ssiRevisionReply, ssiDecoder, 0, 'R', '1'}
	sum := ssiSum(revision)
	answer := map[string]string{
		"\x16M\rREVINF.":               "REVINF: X\r\nSW: 1\x06.",
		string(ssiPacket(ssiRevision)): string(append(revision, byte(sum>>8), byte(sum))),
	}[c]
	if answer != "" && !d.mute {
		_, _ = d.far.WriteString(answer)
	}
	select {
	case d.got <- c:
	default: // nobody waits
	}
}

func (d *device) say(t *testing.T, text string) {
	t.Helper()
	if _, err := d.far.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// hear waits for a command.
func (d *device) hear(t *testing.T, want string) {
	t.Helper()
	limit := time.After(10 * time.Second)
	for {
		select {
		case c := <-d.got:
			if c == want {
				return
			}
		case <-limit:
			t.Fatalf("the scanner never got % X", want)
		}
	}
}

// rig is a served scanner.
type rig struct {
	*Scanner
	stop func()
}

func serve(t *testing.T, change func(*Options), plugged ...*device) *rig {
	t.Helper()
	o := DefaultOptions()
	o.Name, o.Gap = "scanner", 100*time.Millisecond
	o.Reply, o.Query = 2*time.Second, 30*time.Second
	var mu sync.Mutex
	o.Open = func() (port.Port, error) { // each opening meets the next device
		mu.Lock()
		defer mu.Unlock()
		if len(plugged) == 0 {
			return nil, os.ErrNotExist
		}
		d := plugged[0]
		plugged = plugged[1:]
		return port.Open(port.Options{Path: d.slave.Name(), Baud: 115200})
	}
	change(&o)
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := s.Serve(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Serve ended with %v", err)
		}
	})
	stop := func() { cancel(); ended.Wait() }
	t.Cleanup(stop)
	return &rig{s, stop}
}

func (r *rig) next(t *testing.T, want EventKind) Event {
	t.Helper()
	select {
	case e := <-r.Events():
		if e.Kind != want || e.Device != "scanner" || e.At == 0 {
			t.Fatalf("event %v (%+v), want %v", e.Kind, e, want)
		}
		return e
	case <-time.After(10 * time.Second):
		t.Fatalf("no event, want %v; health %+v", want, r.Health())
	}
	return Event{}
}

func honeywell(o *Options) { o.Dialect, o.AIM = Honeywell, true }

// TestSessions walks three travellers past a scanner.
func TestSessions(t *testing.T) {
	d := plug(t, false)
	r := serve(t, honeywell, d)
	r.next(t, Online)
	d.say(t, "]Q1BEFORE\r")
	if err := r.Start(7); err != nil {
		t.Fatal(err)
	}
	d.hear(t, "\x16T\r")
	const idb = "RDB1BNK2JBIDA77777"
	d.say(t, "]Q1"+idb+"\r\n")
	e := r.next(t, Scanned)
	if e.Session != 7 || string(e.Scan.Payload) != idb || e.Scan.Symbology != "qr" || e.Scan.AIM != "]Q1" || e.Scan.Unframed || e.Scan.ECI {
		t.Errorf("scan %+v", e)
	}
	d.say(t, "]Q1"+idb+"\r]Q1OTHER\r")
	if e := r.next(t, Scanned); string(e.Scan.Payload) != "OTHER" {
		t.Errorf("the same pass was delivered twice: %q", e.Scan.Payload)
	}
	d.say(t, "]Q1CUT")
	if e := r.next(t, Spoilt); !errors.Is(e.Err, ErrTruncated) || e.Scan.Payload != nil || strings.Contains(e.Err.Error(), "CUT") {
		t.Errorf("event %+v", e)
	}
	r.Stop()
	d.hear(t, "\x16U\r")
	if err := r.Start(8); err != nil {
		t.Fatal(err)
	}
	d.hear(t, "\x16T\r")
	d.say(t, "]Q1OTHER\r")
	if e := r.next(t, Scanned); e.Session != 8 || string(e.Scan.Payload) != "OTHER" {
		t.Errorf("the next traveller's pass: %+v", e)
	}
	r.Beep()
	d.hear(t, "\x16\x07\r")
	if err := errors.Join(r.Halt(), r.Halt()); err != nil {
		t.Error(err)
	}
	d.hear(t, "\x16U\r")
	h := r.Health()
	if h.Scans != 3 || h.Duplicates != 1 || h.Spoilt != 1 || !h.Online || h.Answered == 0 || h.Heard == 0 || h.Lost != 0 {
		t.Errorf("health %+v", h)
	}
	if err := r.Start(0); !errors.Is(err, ErrSession) {
		t.Errorf("session 0: %v", err)
	}
}

// TestTriggersAgain: a scanner that ends its trigger with each read, or when
// its time is over, is told to go on.
func TestTriggersAgain(t *testing.T) {
	d := plug(t, false)
	r := serve(t, honeywell, d)
	r.next(t, Online)
	if err := r.Start(1); err != nil {
		t.Fatal(err)
	}
	d.hear(t, "\x16T\r")
	d.say(t, "]Q1POSTER\r")
	r.next(t, Scanned)
	d.hear(t, "\x16T\r")
	d.say(t, "]Q1CUT")
	r.next(t, Spoilt)
	d.hear(t, "\x16T\r") // what would be taken for the rest is over
	d.say(t, "]Q1PASS\r")
	if e := r.next(t, Scanned); string(e.Scan.Payload) != "PASS" {
		t.Errorf("scan %q", e.Scan.Payload)
	}

	d = plug(t, false)
	r = serve(t, func(o *Options) { honeywell(o); o.Retrigger = 50 * time.Millisecond }, d)
	r.next(t, Online)
	if err := r.Start(1); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		d.hear(t, "\x16T\r")
	}
}

// TestAnswerIsNoScan: a session that begins while the scanner is being asked
// waits for the answer, and for a while at most.
func TestAnswerIsNoScan(t *testing.T) {
	const query = "\x16M\rREVINF."
	for name, answer := range map[string]string{"answered": "REVINF: X\r\nSW: 1\x06.", "not answered": ""} {
		t.Run(name, func(t *testing.T) {
			d := plug(t, true)
			r := serve(t, func(o *Options) {
				honeywell(o)
				if answer == "" {
					o.Reply = 50 * time.Millisecond
				}
			}, d)
			d.hear(t, query)
			if err := r.Start(1); err != nil {
				t.Fatal(err)
			}
			if answer != "" {
				d.say(t, answer[:9])
				d.say(t, answer[9:])
			}
			d.hear(t, "\x16T\r")
			d.say(t, "]Q1PASS\r")
			r.next(t, Online)
			if e := r.next(t, Scanned); string(e.Scan.Payload) != "PASS" || r.Health().Spoilt != 0 {
				t.Errorf("scan %q, health %+v", e.Scan.Payload, r.Health())
			}
		})
	}
}

// TestStopsOnItsWayOut: the light goes off when the daemon ends in a session.
func TestStopsOnItsWayOut(t *testing.T) {
	d := plug(t, false)
	r := serve(t, honeywell, d)
	r.next(t, Online)
	if err := r.Start(1); err != nil {
		t.Fatal(err)
	}
	d.hear(t, "\x16T\r")
	r.stop()
	d.hear(t, "\x16U\r")
	if r.Health().Online {
		t.Error("online although nobody serves it")
	}
}

func TestSilentScannerIsAway(t *testing.T) {
	d := plug(t, true)
	r := serve(t, func(o *Options) { honeywell(o); o.Reply = 50 * time.Millisecond }, d)
	if e := r.next(t, Offline); !errors.Is(e.Err, ErrSilent) {
		t.Errorf("%v", e.Err)
	}
	var hint *hal.Error
	if h := r.Health(); h.Online || !errors.As(h.Err, &hint) {
		t.Errorf("health %+v", h)
	}
}

// TestComesBack: a session outlives the cable.
func TestComesBack(t *testing.T) {
	first, second := plug(t, false), plug(t, false)
	r := serve(t, honeywell, first, second)
	r.next(t, Online)
	if err := r.Start(3); err != nil {
		t.Fatal(err)
	}
	first.hear(t, "\x16T\r")
	first.pull()
	if e := r.next(t, Offline); e.Err == nil {
		t.Error("away without a reason")
	}
	second.hear(t, "\x16T\r")
	second.say(t, "]Q1PASS\r")
	// Nothing asks in a session: the scan shows that the scanner is there.
	r.next(t, Online)
	if e := r.next(t, Scanned); e.Session != 3 {
		t.Errorf("session %d", e.Session)
	}
}

// pull is the cable coming off.
func (d *device) pull() { _ = d.far.Close() }

func TestZebra(t *testing.T) {
	d := plug(t, false)
	r := serve(t, func(o *Options) { o.Dialect = Zebra }, d)
	r.next(t, Online)
	if err := r.Start(1); err != nil {
		t.Fatal(err)
	}
	d.hear(t, string(ssiPacket(ssiStart)))
	raw := "\xDC\x03\r\n\x00\x11\x13\xFF"
	d.say(t, decoded(ssiContinued, "\x1C"+raw))
	d.hear(t, string(ssiPacket(ssiAck)))
	d.say(t, decoded(0, "\x1C"+raw))
	if e := r.next(t, Scanned); string(e.Scan.Payload) != raw+raw || e.Scan.Symbology != "qr" {
		t.Errorf("scan %+v", e.Scan)
	}
	d.say(t, "\x01\x02")
	if e := r.next(t, Spoilt); !errors.Is(e.Err, ErrPacket) {
		t.Errorf("%v", e.Err)
	}
	d.hear(t, string(ssiPacket(ssiNak, 1)))
	r.Stop()
	d.hear(t, string(ssiPacket(ssiStop)))
}

func TestUnframed(t *testing.T) {
	d := plug(t, true)
	r := serve(t, func(o *Options) { o.Framing = Idle }, d)
	r.next(t, Online) // nothing to ask: an open line is all that is known
	if err := r.Start(1); err != nil {
		t.Fatal(err)
	}
	// Plain has no trigger to wait for: say it until it is heard.
	for i := 0; ; i++ {
		d.say(t, "PASS")
		select {
		case e := <-r.Events():
			if e.Kind != Scanned || !e.Scan.Unframed || !strings.HasPrefix(string(e.Scan.Payload), "PASS") {
				t.Errorf("event %+v", e)
			}
			return
		case <-time.After(300 * time.Millisecond):
		}
		if i > 20 {
			t.Fatal("nothing was heard")
		}
	}
}

func TestOptionsRefused(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"no port": func(*Options) {}, "gap": func(o *Options) { o.Gap = 0 }, "repeat": func(o *Options) { o.Repeat = -1 },
		"dialect": func(o *Options) { o.Dialect = 9 }, "framing": func(o *Options) { o.Framing = 9 }, "query": func(o *Options) { o.Query = time.Hour },
		"retrigger": func(o *Options) { o.Retrigger = 0 },
	} {
		o := DefaultOptions()
		if name != "no port" {
			o.Port.Path = "/dev/gate/scanner"
		}
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestQueueDropsTheOldest when nobody reads.
func TestQueueDropsTheOldest(t *testing.T) {
	o := DefaultOptions()
	o.Port.Path = "/dev/gate/scanner"
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range queueLength + 3 {
		s.tell(Event{Kind: Scanned, Session: uint32(i)})
	}
	if e := <-s.Events(); e.Session != 3 || s.Health().Lost != 3 {
		t.Errorf("first is %d, lost %d", e.Session, s.Health().Lost)
	}
}
