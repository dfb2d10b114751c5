// Package board is a gate's Modbus RTU input and output board, simulated on a
// pseudo-terminal, with its faults.
//
// It is the other end of the turnstile driver and shares no code with it: the
// frames, the checksum and the timing are written twice, so that a mistake in
// one is seen by the other. It behaves as a board of the Waveshare kind does:
// relays (functions 01, 05, 0F), inputs (02, also 04), a mode register for each
// relay (03, 06, 10 at 0x1000), pulses that the board times by itself (05 at
// 0x0200 and 0x0400 plus the channel, in units of 100 ms), exceptions for the
// rest, and silence for another unit or a wrong checksum.
//
// Guarantees: a request acts when its last byte would have arrived at the line's
// speed, and its answer is complete when its last byte would have; every output
// change is logged with its CLOCK_MONOTONIC time before the request that made it
// is answered, to the log file too, so that the log outlives a crash of either
// side. All methods are safe for concurrent use.
package board

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Options describe one board.
type Options struct {
	Link    string // stable path: a symlink to the pty, replaced at each Replug
	Log     string // file to append output changes to, a JSON line each; empty for none
	Unit    byte   // Modbus address, 1 to 247, or 255
	Baud    int    // bits a second, for the time on the wire; 0 is no time at all
	Inputs  int    // number of inputs, 1 to 64
	Outputs int    // number of relays, 1 to 64
	// Base and InputBase are the wire addresses of relay and input 0; 1 on
	// boards that count from one.
	Base, InputBase int
	// OnValue is what switches a relay on by function 05, 0xFF00 but on odd boards.
	OnValue uint16
	// Functions are those that the board knows; nil: all of them.
	Functions []byte
	// Plain says that the board has neither timed pulses nor mode registers.
	Plain bool
	// Watchdog is the address of the register that says after how many
	// milliseconds without a request the relays fall back; 0 where there is none.
	// Default is the address of what they fall back to, a bit each.
	Watchdog, Default int
	// Controller is what the board is instead of relays and inputs: LOT or
	// Swing; empty for these. Its contacts are as in the gate's default wiring.
	Controller string
	// StartTimeout is how long a controller waits for somebody to pass.
	StartTimeout time.Duration
	// Counters is the address of input 0's counter of closings, a register of 16
	// bits for each input; 0 where the board does not count.
	Counters int
	// Turnaround is the board's own time between request and answer.
	Turnaround time.Duration
	// Closed are the input channels whose contacts are closed (1) at power-up.
	Closed []int
	// Unlocks are the relays whose activation lets somebody through.
	Unlocks []int
	// OnUnlock is called for each activation of an unlock relay, in order, on
	// the board's own goroutine: it must return soon and not call the board's
	// Close, Unplug or Replug.
	OnUnlock func(at int64, ch int)
	// OnOutput is called likewise for every change of any relay.
	OnOutput func(Change)
}

// DefaultOptions are a 16-input, 8-relay board at 115200 baud, unit 1, whose
// supervised contacts (ready 2, door closed 3, tamper 5, emergency 6, mains 7)
// are closed, and whose unlock relays are 0 and 1.
func DefaultOptions() Options {
	return Options{
		Unit: 1, Baud: 115200, Inputs: 16, Outputs: 8, OnValue: 0xFF00, Turnaround: time.Millisecond, StartTimeout: 7 * time.Second,
		Closed: []int{2, 3, 5, 6, 7}, Unlocks: []int{0, 1},
	}
}

// Models are kinds of boards, by name, each as DefaultOptions but for what is its
// own.
func Models() map[string]Options {
	lc, hw584, fc06, sfar := DefaultOptions(), DefaultOptions(), DefaultOptions(), DefaultOptions()
	lc.Plain, lc.Unit = true, 255
	hw584.Plain, hw584.Base, hw584.InputBase, hw584.OnValue = true, 1, 1, 0x0100
	fc06.Plain, fc06.Functions = true, []byte{fnReadHolding, fnReadInputRegs, fnWriteRegister}
	sfar.Plain, sfar.Base, sfar.InputBase, sfar.Watchdog, sfar.Default = true, 0x330, 0x320, 0x08, 0x0C
	return map[string]Options{"waveshare": DefaultOptions(), "lc": lc, "hw584": hw584, "fc06": fc06, "sfar": sfar}
}

// Change is one change of an output.
type Change struct {
	At      int64 `json:"at"` // CLOCK_MONOTONIC, ns
	Channel int   `json:"channel"`
	On      bool  `json:"on"`
	// Pulse is the length the board was told, ms; 0 for a lasting change.
	Pulse int64 `json:"pulse_ms"`
	// Unlock marks an activation of an unlock relay, also of one that was on.
	Unlock bool `json:"unlock"`
}

// GrantSeen is one activation of an unlock relay.
type GrantSeen struct {
	At       int64 // CLOCK_MONOTONIC, ns
	Channel  int
	Duration time.Duration // as told for a timed pulse, else as measured; 0 while it lasts
}

// Board is a running board.
type Board struct {
	opts Options

	plug    sync.Mutex // serialises Unplug, Replug and Close
	line    *line      // nil while unplugged
	closed  bool
	log     *os.File
	ctl     controller    // nil: relays and inputs
	clock   chan struct{} // wakes the timer goroutine
	stop    chan struct{}
	workers sync.WaitGroup

	mu       sync.Mutex // guards all below
	inputs   []bool     // as driven
	closings []uint16   // how often each has closed
	stuck    map[int]bool
	outputs  []bool
	modes    []uint16
	timers   []timer
	silence  uint16 // the watchdog's time, ms; 0 while it is off
	lane     lane
	rest     uint16 // what the relays fall back to
	fallAt   int64  // when they do; 0: not at all
	changes  []Change
	grants   []GrantSeen
	faults   []Fault
	brief    []int // inputs that are to close for a moment, after the next reading
	short    bool  // pulses of inputs are shorter than any poll
	counts   Counts
	logErr   error
}

// Counts are what the board has seen.
type Counts struct {
	Requests int // frames for this unit with a right checksum
	Noise    int // bytes that belong to no frame
	Faulted  int // requests that met an injected fault
	Fallen   int // how often the watchdog took the relays back
	// Of a controller: permissions that were taken back unused, commands to
	// close, and writes of its settings.
	Withdrawn, Closes, Settings int
}

// New powers the board up and links its line.
func New(o Options) (*Board, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	b := &Board{
		opts: o, inputs: make([]bool, o.Inputs), closings: make([]uint16, o.Inputs), outputs: make([]bool, o.Outputs), modes: make([]uint16, o.Outputs),
		stuck: map[int]bool{}, clock: make(chan struct{}, 1), stop: make(chan struct{}),
	}
	b.lane.said, b.lane.setup = map[int]byte{}, map[int]uint16{}
	switch o.Controller {
	case LOT:
		b.ctl = lot{b}
	case Swing:
		b.ctl = swing{b}
	}
	for _, ch := range o.Closed {
		b.inputs[ch] = true
	}
	if o.Log != "" {
		f, err := os.OpenFile(o.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open board log: %w", err)
		}
		b.log = f
	}
	if err := b.Replug(); err != nil {
		return nil, errors.Join(err, b.closeLog())
	}
	b.workers.Go(b.runTimers)
	return b, nil
}

func (o Options) check() error {
	switch {
	case o.Inputs < 1 || o.Inputs > 64 || o.Outputs < 1 || o.Outputs > 64:
		return fmt.Errorf("check board: %d inputs and %d outputs, want 1 to 64 each", o.Inputs, o.Outputs)
	case o.Unit == 0 || o.Baud < 0 || o.Base < 0 || o.InputBase < 0 || o.Base > 0xFFFF-64 || o.InputBase > 0xFFFF-64:
		return errors.New("check board: unit, baud or base out of range")
	case !o.controllerFits():
		return fmt.Errorf("check board: controller %q on %d inputs and %d outputs", o.Controller, o.Inputs, o.Outputs)
	case o.OnValue == 0:
		return errors.New("check board: the on value is zero")
	}
	for _, ch := range o.Closed {
		if ch < 0 || ch >= o.Inputs {
			return fmt.Errorf("check board: closed input %d does not exist", ch)
		}
	}
	for _, ch := range o.Unlocks {
		if ch < 0 || ch >= o.Outputs {
			return fmt.Errorf("check board: unlock output %d does not exist", ch)
		}
	}
	return nil
}

// Close powers the board off. Safe to call twice.
func (b *Board) Close() error {
	b.plug.Lock()
	defer b.plug.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	close(b.stop)
	err := b.unplugLocked()
	b.workers.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return errors.Join(err, b.logErr, b.closeLog())
}

func (b *Board) closeLog() error {
	if b.log == nil {
		return nil
	}
	return b.log.Close()
}

// SetInput drives an input's contact: true is closed, read as 1. A channel that
// does not exist is ignored.
func (b *Board) SetInput(ch int, on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cancelLocked(ch, false)
	b.driveLocked(ch, on)
}

func (b *Board) driveLocked(ch int, on bool) {
	if ch < 0 || ch >= len(b.inputs) {
		return
	}
	was := b.inputs[ch]
	b.inputs[ch] = on
	if _, stuck := b.stuck[ch]; on && !was && !stuck {
		b.closings[ch]++
	}
	if dir := ch - inPass; b.ctl != nil && on && !was && dir < 2 {
		b.walkedLocked(dir)
	}
}

// Pulse inverts an input for d.
func (b *Board) Pulse(ch int, d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ch < 0 || ch >= len(b.inputs) {
		return
	}
	if b.short {
		b.brief = append(b.brief, ch)
		return
	}
	b.invertLocked(ch, d)
}

func (b *Board) invertLocked(ch int, d time.Duration) {
	was := b.inputs[ch]
	if b.cancelLocked(ch, false) {
		was = !was // a running pulse is made longer, not turned round
	}
	b.driveLocked(ch, !was)
	b.scheduleLocked(timer{at: now() + int64(d), ch: ch, on: was})
}

// Stick holds what the board reads of an input, whatever drives it.
func (b *Board) Stick(ch int, on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stuck[ch] = on
}

// Unstick frees an input held by Stick.
func (b *Board) Unstick(ch int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.stuck, ch)
}

// Outputs is the state of each relay.
func (b *Board) Outputs() []bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.outputs)
}

// Grants lists every activation of an unlock relay since power-up.
func (b *Board) Grants() []GrantSeen {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.grants)
}

// Changes lists every output change since power-up.
func (b *Board) Changes() []Change {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.changes)
}

// Counts is what the board has seen since power-up.
func (b *Board) Counts() Counts {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts
}

// SetMode sets a relay's mode register, 0 is normal.
func (b *Board) SetMode(ch int, mode uint16) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ch >= 0 && ch < len(b.modes) {
		b.modes[ch] = mode
	}
}

// SetRest sets what the relays fall back to when the watchdog ends, a bit each.
func (b *Board) SetRest(mask uint16) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rest = mask
}

// Force drives a relay from the board's own side, as a hand on its test button
// would.
func (b *Board) Force(ch int, on bool) {
	b.mu.Lock()
	var calls []Change
	if ch >= 0 && ch < len(b.outputs) {
		b.cancelLocked(ch, true)
		calls = b.switchLocked(calls, ch, on, 0)
	}
	b.mu.Unlock()
	b.tell(calls)
}

func now() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return ts.Nano()
}
