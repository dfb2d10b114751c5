package wire

import (
	"crypto/hpke"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"
)

// What a command can order. None of it admits anybody by headquarters' word: an
// act is its officer's, by his own signature, and a gate's own state (emergency,
// obstruction, a journal that takes no records) stands above each.
const (
	DoMode        = "mode"        // close the lane, or take HQ's own closure back
	DoRestart     = "restart"     // end in order and be started again
	DoResync      = "resync"      // throw the accounts away and get them anew
	DoClock       = "clock"       // hear HQ's time, and say how far the gate's is off
	DoDiagnostics = "diagnostics" // say how the gate is, without personal data
	DoNonce       = "nonce"       // give out a nonce for an officer who is not at the gate
	DoAct         = "act"         // carry out what that officer has signed
)

// Dos lists what a command can order.
func Dos() []string {
	return []string{DoMode, DoRestart, DoResync, DoClock, DoDiagnostics, DoNonce, DoAct}
}

// The modes that HQ may order. Normal takes back HQ's own closure and nothing
// else; maintenance is for whoever stands at the gate.
const (
	ModeNormal = "normal"
	ModeClosed = "closed"
)

// Outcomes of a command.
const (
	OutcomeExecuted = "executed"
	OutcomeRefused  = "refused"
	OutcomeExpired  = "expired"
)

// Limits of commands.
const (
	MaxCommandLife = 5 * time.Minute // from issue to expiry
	MaxDiagnostics = 64 << 10        // bytes of a gate's account of itself
	MaxWhy         = 200             // bytes of a result's reason
	MaxAct         = 4 << 10         // bytes of a signed act
	idSize         = 16
)

// ErrCommand means that a command or a result breaks its form.
var ErrCommand = errors.New("command is malformed")

// Command is an order to one gate. It is never retained; its header expires,
// and the header's Seq is its number: it rises with every command to the gate,
// which takes each number once. Boot names the connection that HQ heard the
// gate on, so that a command that was held back is known for late whatever the
// gate's clock says.
type Command struct {
	ID   string `json:"id"` // 16 random bytes, hex
	Boot string `json:"boot"`
	Do   string `json:"do"`
	Mode string `json:"mode,omitempty"`       // with mode
	Time int64  `json:"at_unix_ns,omitempty"` // with clock: HQ's time
	By   string `json:"by,omitempty"`         // HQ's keyed hash of who ordered it
	Act  []byte `json:"act,omitempty"`        // with act: the officer's signed message
}

// Check holds a command to its form; h is its header.
func (c Command) Check(h Header) error {
	switch {
	case !validID(c.ID) || c.Boot == "" || len(c.Boot) > MaxKid || len(c.By) > MaxKid:
		return fmt.Errorf("%w: id, connection or name", ErrCommand)
	case h.Seq == 0:
		return fmt.Errorf("%w: no number", ErrCommand)
	case h.Exp <= h.Iat || h.Exp-h.Iat > MaxCommandLife.Milliseconds():
		return fmt.Errorf("%w: it has to expire within %s", ErrCommand, MaxCommandLife)
	case !slices.Contains(Dos(), c.Do):
		return fmt.Errorf("%w: nothing known to do", ErrCommand)
	case (c.Do == DoMode) != (c.Mode != "") || c.Mode != "" && c.Mode != ModeNormal && c.Mode != ModeClosed:
		return fmt.Errorf("%w: headquarters orders the mode %s or %s", ErrCommand, ModeNormal, ModeClosed)
	case (c.Do == DoClock) != (c.Time != 0) || c.Time < 0:
		return fmt.Errorf("%w: a time goes with %s", ErrCommand, DoClock)
	case (c.Do == DoAct) != (len(c.Act) > 0) || len(c.Act) > MaxAct:
		return fmt.Errorf("%w: an act of at most %d bytes goes with %s", ErrCommand, MaxAct, DoAct)
	}
	return nil
}

func validID(id string) bool {
	b, err := hex.DecodeString(id)
	return err == nil && len(b) == idSize && hex.EncodeToString(b) == id
}

// Result is what came of a command. Sealed is the gate's account of itself,
// sealed to HQ.
type Result struct {
	ID      string `json:"id"`
	Do      string `json:"do"`
	Outcome string `json:"outcome"`
	Why     string `json:"why,omitempty"` // with executed: what there is to say
	At      int64  `json:"at_unix_ns"`
	Mono    int64  `json:"mono"`   // CLOCK_MONOTONIC at the gate, ns
	Newest  uint64 `json:"newest"` // the highest number that the gate has taken
	Sealed  []byte `json:"sealed,omitempty"`
	// Nonce is the gate's, for one act and good for seconds: a secret to nobody,
	// since only an officer's signature over it is worth anything.
	Nonce string `json:"nonce,omitempty"`
}

// Check holds a result to its form.
func (r Result) Check() error {
	switch {
	case !validID(r.ID) || !slices.Contains(Dos(), r.Do) || len(r.Why) > MaxWhy:
		return fmt.Errorf("%w: id, order or reason of a result", ErrCommand)
	case r.Outcome != OutcomeExecuted && r.Outcome != OutcomeRefused && r.Outcome != OutcomeExpired:
		return fmt.Errorf("%w: outcome of a result", ErrCommand)
	case r.Outcome != OutcomeExecuted && r.Why == "":
		return fmt.Errorf("%w: %s without a reason", ErrCommand, r.Outcome)
	case len(r.Sealed) > 0 && (r.Do != DoDiagnostics || r.Outcome != OutcomeExecuted):
		return fmt.Errorf("%w: diagnostics that nobody asked for", ErrCommand)
	case (r.Nonce != "") != (r.Do == DoNonce && r.Outcome == OutcomeExecuted) || r.Nonce != "" && !validID(r.Nonce):
		return fmt.Errorf("%w: a nonce that is none, or that nobody asked for", ErrCommand)
	}
	return nil
}

func diagnosticsPurpose(gate, id string) string { return "diagnostics " + id + " of " + gate }

// SealDiagnostics seals a gate's account of itself to HQ.
func SealDiagnostics(pub hpke.PublicKey, gate, id string, plain []byte) ([]byte, error) {
	if len(plain) > MaxDiagnostics {
		return nil, fmt.Errorf("seal diagnostics of %d bytes: %w", len(plain), ErrTooLarge)
	}
	return SealTo(pub, diagnosticsPurpose(gate, id), plain)
}

// OpenDiagnostics gives what SealDiagnostics sealed.
func (r Result) OpenDiagnostics(key hpke.PrivateKey, gate string) ([]byte, error) {
	return OpenFrom(key, diagnosticsPurpose(gate, r.ID), r.Sealed)
}
