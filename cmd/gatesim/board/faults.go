package board

import (
	"slices"
	"time"
)

// FaultKind is a way in which an exchange goes wrong.
type FaultKind uint8

// The faults. All but FaultDeaf, FaultEchoOnly and FaultException act on the
// request before they spoil its answer.
const (
	FaultNoReply     FaultKind = iota + 1 // acted on, not answered
	FaultDeaf                             // neither acted on nor answered
	FaultLate                             // answered Delay later than usual
	FaultEchoOnly                         // an adapter that hears itself, and no board
	FaultEcho                             // the request's echo before the answer
	FaultTruncated                        // the answer's last bytes are missing
	FaultCRC                              // one bit of the answer is wrong
	FaultException                        // refused with "device failure"
	FaultUnit                             // answered in another unit's name
	FaultHangUpFrame                      // the line hangs up in the middle of an answer
	FaultHangUpWrite                      // the line hangs up while a request is on it
)

// Fault is an order to spoil requests.
type Fault struct {
	Kind  FaultKind
	Fn    byte          // only requests of this function; 0 for all
	Count int           // how many; below zero until Heal
	Delay time.Duration // of FaultLate
}

// Inject adds a fault. Faults wait in order; the first that fits a request
// takes it.
func (b *Board) Inject(f Fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, f)
}

// Heal removes every fault but stuck inputs.
func (b *Board) Heal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = nil
}

// ofLine tells the faults of the line from those of an answer.
func (k FaultKind) ofLine() bool { return k == FaultHangUpFrame || k == FaultHangUpWrite }

// takes reports whether the line is to hang up now.
func (b *Board) takes(k FaultKind) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, hit := b.takeLocked(func(f Fault) bool { return f.Kind == k })
	return hit
}

func (b *Board) takeFaultLocked(fn byte) (Fault, bool) {
	return b.takeLocked(func(f Fault) bool { return !f.Kind.ofLine() && (f.Fn == 0 || f.Fn == fn) })
}

func (b *Board) takeLocked(fits func(Fault) bool) (Fault, bool) {
	i := slices.IndexFunc(b.faults, fits)
	if i < 0 {
		return Fault{}, false
	}
	f := b.faults[i]
	if f.Count > 0 {
		if b.faults[i].Count--; b.faults[i].Count == 0 {
			b.faults = slices.Delete(b.faults, i, i+1)
		}
	}
	b.counts.Faulted++
	return f, true
}

// spoil makes of a right answer what the fault leaves of it.
func (b *Board) spoil(f Fault, req, reply []byte) []byte {
	if len(reply) == 0 {
		b.passOn(f)
		return nil
	}
	switch f.Kind {
	case FaultNoReply:
		return nil
	case FaultLate:
		b.wait(f.Delay)
	case FaultEcho:
		return append(slices.Clone(req), reply...)
	case FaultTruncated:
		return reply[:len(reply)-min(len(reply), 2)]
	case FaultCRC:
		reply[len(reply)-1] ^= 0x10
	case FaultUnit:
		if b.ctl != nil {
			return b.ctl.foreign(reply)
		}
		reply = append(reply[:0:0], reply[:len(reply)-2]...)
		reply[0] ^= 0x40
		return seal(reply)
	}
	return reply
}

// passOn has a fault strike the next status, where a controller answers a
// command by nothing else.
func (b *Board) passOn(f Fault) {
	if b.opts.Controller != Swing || f.Kind == FaultException || f.Kind == FaultDeaf {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	f.Fn, f.Count = 0x10, 1
	b.faults = slices.Insert(b.faults, 0, f)
}

// wait lets time pass on the wire, or less if the board is closed.
func (b *Board) wait(d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-b.stop:
	}
}
