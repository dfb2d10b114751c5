package gate

import (
	"maps"
	"slices"
	"time"
)

// Mode is how the lane is run. The modes stand in the order of their rank: of
// several orders the highest rank holds, so that nobody opens what another has
// closed.
type Mode uint8

// The modes of a lane, least strict first.
const (
	ModeNormal              Mode = iota + 1
	ModeSupervised               // an officer confirms each admission before the grant
	ModeBiometricsSuspended      // no face is compared: an officer decides on everybody, for a limited time
	ModeDryRun                   // everything but the grant: whoever would be admitted is referred
	ModeMaintenance              // a technician has the lane
	ModeClosed                   // not for travellers
	ModeEmergency                // by the hardware alone; nobody orders it
	modeEnd
)

var modeText = [modeEnd]string{
	ModeNormal: "normal", ModeSupervised: "supervised", ModeBiometricsSuspended: "biometrics_suspended",
	ModeDryRun: "dry_run", ModeMaintenance: "maintenance", ModeClosed: "closed", ModeEmergency: "emergency",
}

// String is the mode in the words of records.
func (m Mode) String() string {
	if m == 0 || m >= modeEnd {
		return "invalid"
	}
	return modeText[m]
}

// ParseMode accepts the modes that can be ordered.
func ParseMode(text string) (Mode, bool) {
	for m := ModeNormal; m < ModeEmergency; m++ {
		if modeText[m] == text {
			return m, true
		}
	}
	return 0, false
}

// serves reports whether travellers are taken at all.
func (m Mode) serves() bool { return m >= ModeNormal && m <= ModeDryRun }

// releases reports whether anybody is let through, be it by an officer. An order
// to close covers the dry run of a gate that is not armed: neither lifts the other.
func (m Mode) releases() bool { return m.serves() && m != ModeDryRun }

// Limits of orders.
const (
	// MaxSuspension is how long biometrics are suspended by one order at most;
	// such an order always has an end.
	MaxSuspension = 4 * time.Hour
	// MaxOrder is how long any order with an end may last.
	MaxOrder = 7 * 24 * time.Hour
)

// Order is a mode as somebody ordered it.
type Order struct {
	Mode    Mode   `json:"mode"`
	By      string `json:"by"`                // who may order: a word of a fixed list
	Officer string `json:"officer,omitempty"` // his service id, where it was one
	Cause   string `json:"cause,omitempty"`   // a word of a fixed list
	Until   int64  `json:"until,omitempty"`   // CLOCK_MONOTONIC ns; 0: until it is taken back
}

// Fits reports whether the order may be given at now: a mode that can be
// ordered, somebody who orders it, and an end where one is needed.
func (o Order) Fits(now int64) bool {
	left := time.Duration(o.Until - now)
	switch {
	case !o.Mode.serves() && o.Mode != ModeMaintenance && o.Mode != ModeClosed, o.By == "":
		return false
	case o.Until == 0:
		return o.Mode != ModeBiometricsSuspended
	case o.Mode == ModeBiometricsSuspended:
		return left > 0 && left <= MaxSuspension
	default:
		return left > 0 && left <= MaxOrder
	}
}

// Who may order a mode or a direction.
const (
	ByHQ      = "headquarters"
	ByStation = "station" // an officer at the gate
	ByArming  = "arming"  // a gate that no technician has armed yet
	ByRestart = "restart" // the machine itself, around its own start
)

// Orders are the orders of everybody who may give one, by who gave it. The
// strictest that has not run out holds.
type Orders map[string]Order

// Give notes an order in the place of the same one's last; normal takes it
// back.
func (o Orders) Give(order Order) {
	if order.Mode == ModeNormal {
		delete(o, order.By)
		return
	}
	o[order.By] = order
}

// Holds is the order that holds at now, and when the next one runs out: 0 for
// never. What has run out is dropped.
func (o Orders) Holds(now int64) (held Order, next int64) {
	held = Order{Mode: ModeNormal}
	for _, by := range slices.Sorted(maps.Keys(o)) {
		order := o[by]
		if order.Until != 0 && order.Until <= now {
			delete(o, by)
			continue
		}
		if order.Mode > held.Mode {
			held = order
		}
		if order.Until != 0 && (next == 0 || order.Until < next) {
			next = order.Until
		}
	}
	return held, next
}

// take has the lane follow the order that holds from now on, and puts the
// change of mode on record: out of which, into which, by whom, why and until
// when.
func (m *machine) take(in Input) {
	if in.order == m.order {
		return
	}
	from := m.order.Mode
	m.order, m.mode = in.order, in.order.Mode
	m.recordMode(from.String(), in.At)
	m.show(false)
}

func (m *machine) recordMode(from string, at int64) {
	e := Entry{Kind: EntryMode, Alarm: true, At: at, Public: Public{
		From: from, By: m.order.By, Cause: m.order.Cause, State: m.state.String(),
	}}
	if u := m.order.Until; u != 0 {
		e.Public.ForMS = (u - at) / int64(time.Millisecond)
	}
	if m.order.Officer != "" {
		e.Personal = &Personal{Officer: m.order.Officer}
	}
	m.record(e)
}

// holds is the mode as records and views name it: in an emergency nobody's
// order does.
func (m *machine) holds() Mode {
	if m.opening != nil {
		return ModeEmergency
	}
	return m.mode
}

// setMode notes the order that holds; the state stays.
func setMode(m *machine, in Input) State {
	m.take(in)
	return m.state
}

// openOrStay follows the order: into the self-test where travellers are to be
// served again, else into the state of the mode.
func openOrStay(m *machine, in Input) State {
	m.take(in)
	switch {
	case !m.started:
		return m.state
	case m.mode.serves():
		return m.stop(SelfTest, "self_test")
	default:
		return m.outOfUse()
	}
}

// outOfUse is the state of a mode in which nobody is served.
func (m *machine) outOfUse() State {
	if m.mode == ModeMaintenance {
		return m.stop(Maintenance, "maintenance")
	}
	return m.stop(Closed, "mode_closed")
}

// changeMode lets a transaction that has begun go on: its decision sees the
// mode, and the lane leaves service when it is over.
func changeMode(m *machine, in Input) State {
	m.take(in)
	return m.state
}

// changeModeReady leaves service at once where the order says so: nobody is
// being served.
func changeModeReady(m *machine, in Input) State {
	m.take(in)
	return m.ready(in)
}

// changeModeMatching decides at once where the order leaves nothing to wait
// for.
func changeModeMatching(m *machine, in Input) State {
	m.take(in)
	return rematch(m, in)
}

// turn changes the direction of a reversible lane that is known to be empty;
// any other stays as it is.
func turn(m *machine, in Input) State {
	if !m.o.Reversible || m.late(in) || in.dir == DirectionNone || in.dir == m.o.Policy.Direction || in.officer == "" || !m.empty() {
		return m.state
	}
	from := m.o.Policy.Direction
	m.direction, m.o.Policy.Direction = in.dir, in.dir
	m.record(Entry{
		Kind: EntryDirection, Alarm: true, At: in.At, Personal: &Personal{Officer: in.officer},
		Public: Public{From: from.String(), By: ByStation, Cause: in.why, State: m.state.String()},
	})
	m.show(false)
	return m.state
}

// empty reports whether the lane is known to be empty: nobody before it,
// nothing between the leaves, and no grant that may still be open.
func (m *machine) empty() bool {
	return m.turnstile && m.journal && m.emergency == Off && m.presence == Off && m.obstruction == Off && m.owed == TxID{}
}
