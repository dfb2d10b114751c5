package board

// swing is a swing gate's own board: requests of 8 bytes that begin with 7E,
// a status of 18 that begins with 7F. It answers nothing but the question for
// its status.
type swing struct{ b *Board }

const (
	swingAsk    = 8
	swingStatus = 18
)

// Places of the status that Say can set.
const (
	SwingFault    = 3
	SwingGate     = 4
	SwingAlarm    = 5
	SwingInfrared = 12
	SwingExec     = 13
)

// Codes of the simulated model; another model has others.
const (
	swingIdle      = 0x00
	swingOpensLeft = 0x11 // right is the next
	swingRefused   = 0x20
	swingForbids   = 0x31 // left; right is the next
)

func sumOf(p []byte) (s byte) {
	for _, c := range p {
		s += c
	}
	return s
}

func (swing) next(p []byte) (frame, rest []byte, noise int) {
	for len(p) > 0 {
		if p[0] != 0x7E {
			p, noise = p[1:], noise+1
			continue
		}
		if len(p) < swingAsk {
			return nil, p, noise
		}
		if sumOf(p[:swingAsk]) == 0xFF {
			return p[:swingAsk], p[swingAsk:], noise
		}
		p, noise = p[1:], noise+1
	}
	return nil, nil, noise
}

func (swing) address(req []byte) (unit, fn byte) { return req[2], req[3] }

func (s swing) refuse(req []byte) []byte {
	s.b.lane.exec = swingRefused
	return s.answer(req)
}

func (swing) foreign(reply []byte) []byte {
	p := append([]byte(nil), reply...)
	p[2] ^= 0x40
	p[len(p)-1] = ^sumOf(p[:len(p)-1])
	return p
}

func (s swing) act(req []byte) (reply []byte, calls []Change) {
	l := &s.b.lane
	switch cmd := req[3]; cmd {
	case 0x10:
	case 0x80, 0x82:
		ch := int(cmd-0x80) / 2
		if l.forbid[ch] || !s.b.readLocked(inReady) || req[4] == 0 {
			l.exec = swingRefused
			break
		}
		l.exec = swingOpensLeft + byte(ch)
		calls = s.b.allowLocked(nil, ch, uint32(req[4]))
	case 0x88, 0x89:
		ch := int(cmd - 0x88)
		l.forbid[ch], l.exec = true, swingForbids+byte(ch)
		calls = s.b.withdrawLocked(nil, ch)
	case 0x8F:
		l.forbid, l.exec = [2]bool{}, swingIdle
	case 0x84:
		s.b.counts.Closes++
	case 0x20, 0x21:
		l.passed[cmd-0x20] = 0
	default: // always open, reset, parameters
		s.b.counts.Settings++
	}
	return s.answer(req), calls
}

func (s swing) answer(req []byte) []byte {
	if req[3] != 0x10 {
		return nil
	}
	return s.status()
}

func (s swing) status() []byte {
	b := s.b
	l := &b.lane
	when := func(cond bool, code byte) byte {
		if cond {
			return code
		}
		return 0
	}
	exec := l.exec
	if d := exec - swingOpensLeft; exec >= swingOpensLeft && d < 2 && l.left[d] == 0 {
		exec = swingIdle
	}
	p := []byte{
		0x7F, 0x01, b.opts.Unit,
		when(!b.readLocked(inReady), 0x05),
		max(when(!b.readLocked(inDoor), 0x01), when(!b.readLocked(inEmergency), 0x0E)),
		when(!b.readLocked(inTamper), 0x03) + when(!b.readLocked(inMains), 0x04),
		byte(l.passed[0] >> 16), byte(l.passed[0] >> 8), byte(l.passed[0]),
		byte(l.passed[1] >> 16), byte(l.passed[1] >> 8), byte(l.passed[1]),
		when(b.readLocked(inPresence), 0x01) + when(b.readLocked(inObstruction), 0x02),
		exec, 24, 0, 0, 0,
	}
	for place, code := range l.said {
		p[place] = code
	}
	p[swingStatus-1] = ^sumOf(p[:swingStatus-1])
	return p
}
