package link

import (
	"errors"
	"time"

	"bordergate/sync/wire"
)

// Order is a command of HQ whose signature, address and form hold. Whether its
// number was taken before is for the receiver to say, who keeps it on disk.
type Order struct {
	wire.Command
	Seq uint64
	// Late says why the command has expired; empty while it has not.
	Late string
}

// Causes by which a command is counted, beside those of every message. The
// gate's own are counted by Gate.Count.
const (
	CauseCommandMalformed = "command_malformed"
	CauseCommandReplayed  = "command_replayed"
	CauseCommandExpired   = "command_expired"
	CauseCommandRefused   = "command_refused"
)

// onCommand passes an order on. Nothing that cannot be proven to be HQ's word
// to this gate is answered: an answer would tell a forger something.
func (d *Downlink) onCommand(m Message) {
	if m.Retained {
		d.counters.add(causeRetained)
		return
	}
	h, c, err := d.readCommand(m)
	if err == nil {
		err = c.Check(h)
	}
	switch {
	case errors.Is(err, wire.ErrCommand):
		d.counters.add(CauseCommandMalformed)
		d.opts.Logger.Error("Command of headquarters is malformed", "error", err, "hint", "newer software may be needed here")
		return
	case err != nil:
		d.refuse(err)
		return
	}
	d.opts.OnCommand(Order{Command: c, Seq: h.Seq, Late: d.late(m, h, c)})
}

// readCommand verifies everything but the expiry, which is answered. A command
// to all is a command to nobody.
func (d *Downlink) readCommand(m Message) (wire.Header, wire.Command, error) {
	h, payload, err := d.opts.Ring.Verify(m.Payload, wire.Want{
		Typ: wire.TypeCommand, Topic: m.Topic, To: d.opts.Gate, Role: wire.RoleCommand,
	})
	if err == nil && h.To != d.opts.Gate {
		err = wire.ErrAddress
	}
	if err != nil {
		return h, wire.Command{}, err
	}
	c, err := wire.Decode[wire.Command](payload)
	return h, c, err
}

// late judges the expiry. A clock that is not to be trusted is replaced by
// HQ's newest signed time, which is at most a few heartbeats behind; and
// whatever the time, a command is for the connection it names.
func (d *Downlink) late(m Message, h wire.Header, c wire.Command) string {
	if c.Boot != d.opts.Boot(m.Conn) {
		return "it is for an earlier connection of this gate"
	}
	now, trusted := d.opts.Now()
	if !trusted {
		now = time.Unix(0, d.head.Issued)
	}
	if now.UnixMilli() > h.Exp {
		return "its time is over by this gate's clock, or by headquarters' own word"
	}
	return ""
}

// Answer says what came of a command.
func (g *Gate) Answer(r wire.Result) { g.say(wire.TypeResult, r) }

// Count counts something that the gate refused, in the gate's state.
func (g *Gate) Count(cause string) { g.counters.add(cause) }

// Resync has HQ asked for what the replica lacks now. It never blocks.
func (g *Gate) Resync() { g.down.Refresh() }
