package swing7e

import (
	"encoding/binary"

	"bordergate/hal/turnstile"
)

// The frames.
const (
	askStart    = 0x7E
	statusStart = 0x7F
	statusLen   = 18
	// mostHeld is how much of what is no status is looked through for one.
	mostHeld = 4 * statusLen
)

// Commands.
const (
	cmdStatus      = 0x10
	cmdOpenLeft    = 0x80 // for n persons
	cmdOpenRight   = 0x82
	cmdForbidLeft  = 0x88
	cmdForbidRight = 0x89
	cmdLift        = 0x8F // what was forbidden
)

func sum(p []byte) (s byte) {
	for _, b := range p {
		s += b
	}
	return s
}

// command is a request of 8 bytes whose sum is FF.
func command(unit, cmd, n byte) []byte {
	p := []byte{askStart, 0, unit, cmd, n, 0, 0, 0}
	p[7] = ^sum(p)
	return p
}

// status is what the board says of itself.
type status struct {
	raw         []byte
	left, right uint32 // 24 bits
}

// Fields of a status by their place in it.
const (
	atFault    = 3
	atGate     = 4
	atAlarm    = 5
	atLeft     = 6
	atRight    = 9
	atInfrared = 12
	atCommand  = 13
)

func parse(p []byte) status {
	u24 := func(p []byte) uint32 { return binary.BigEndian.Uint32(append([]byte{0}, p[:3]...)) }
	return status{append([]byte(nil), p[:statusLen]...), u24(p[atLeft:]), u24(p[atRight:])}
}

// findStatus looks for a status at the end of p: of this unit and with a right
// sum. Its first byte may be anywhere and may stand within a frame too, so only
// the sum tells where one begins; of several the last is taken.
func findStatus(unit byte, p []byte) (data []byte, done bool, err error) {
	if n := len(p) - statusLen; n >= 0 {
		if f := p[n:]; f[0] == statusStart && f[2] == unit && sum(f) == 0xFF {
			return f, true, nil
		}
	}
	if len(p) >= mostHeld {
		return nil, true, turnstile.ErrGarbled
	}
	return nil, false, nil
}
