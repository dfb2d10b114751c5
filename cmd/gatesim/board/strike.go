package board

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"bordergate/cmd/gatesim/tty"
)

// Late is how much later than usual a late answer comes: later than a driver
// waits, and earlier than the silence it then keeps is over.
const Late = 170 * time.Millisecond

// blink is how long a contact closes that no poll can see.
const blink = time.Millisecond

// answers are the verbs that spoil every answer until Mend.
var answers = map[string]FaultKind{
	"no_reply": FaultNoReply, "deaf": FaultDeaf, "late_reply": FaultLate, "echo_only": FaultEchoOnly,
	"truncated": FaultTruncated, "crc_error": FaultCRC, "exception": FaultException, "wrong_unit": FaultUnit,
}

// contacts are the inputs, by the gate's default wiring, that stick closed.
var contacts = map[string]int{"stuck_pass": 1, "stuck_presence": 8}

// Verbs lists what can happen to a board, in a scenario's words.
func Verbs() []string {
	more := []string{"short_pulse", "hang_up", "hang_up_frame", "hang_up_write", "elsewhere"}
	return slices.Sorted(slices.Values(slices.Concat(slices.Collect(maps.Keys(answers)), slices.Collect(maps.Keys(contacts)), more)))
}

// Strike has one of the verbs happen; Mend takes it back.
func (b *Board) Strike(verb string) error {
	kind, spoils := answers[verb]
	ch, sticks := contacts[verb]
	switch {
	case spoils:
		b.Inject(Fault{Kind: kind, Count: -1, Delay: Late})
	case sticks:
		b.Stick(ch, true)
	case verb == "short_pulse":
		b.mu.Lock()
		defer b.mu.Unlock()
		b.short = true
	case verb == "hang_up":
		return b.Unplug()
	case verb == "hang_up_frame":
		b.Inject(Fault{Kind: FaultHangUpFrame, Count: 1})
	case verb == "hang_up_write":
		b.Inject(Fault{Kind: FaultHangUpWrite, Count: 1})
	case verb == "elsewhere":
		return b.Move()
	default:
		return fmt.Errorf("strike board: no verb %q", verb)
	}
	return nil
}

// Mend takes back whatever has struck: the board answers, its contacts are free,
// and it is plugged in.
func (b *Board) Mend() error {
	b.mu.Lock()
	b.faults, b.short, b.brief = nil, false, nil
	clear(b.stuck)
	b.mu.Unlock()
	b.plug.Lock()
	l := b.line
	b.plug.Unlock()
	if l != nil && l.cut.Load() { // hung up by itself
		if err := b.Unplug(); err != nil {
			return err
		}
	}
	return b.Replug()
}

// Move pulls the cable and puts it in elsewhere: the stable path points at
// another line than before.
func (b *Board) Move() error {
	if err := b.Unplug(); err != nil {
		return err
	}
	// The number that has become free is taken, so that it is not given again.
	spare, err := tty.Open("")
	if err != nil {
		return fmt.Errorf("move board: %w", err)
	}
	return errors.Join(b.Replug(), spare.Close())
}

// blinkLocked closes, just after a reading, the contacts that are to close for
// less than a poll.
func (b *Board) blinkLocked() {
	for _, ch := range b.brief {
		b.invertLocked(ch, blink)
		b.closings[ch]-- // shorter than a counter's filter too
	}
	b.brief = nil
}
