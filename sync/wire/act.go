package wire

import (
	"fmt"
	"slices"
	"time"
)

// TypeAct is the type of an officer's act. It reaches a gate over its control
// socket, which works with no network, or within a command of headquarters',
// which carries it from the console and can neither make nor change one.
const TypeAct = "act"

// The modes that an officer orders beside ModeNormal and ModeClosed. Normal
// takes back what officers ordered at this gate, and nobody else's order.
const (
	ModeSupervised          = "supervised"
	ModeBiometricsSuspended = "biometrics_suspended"
	ModeMaintenance         = "maintenance"
)

// ActModes lists the modes that an officer may order.
func ActModes() []string {
	return []string{ModeNormal, ModeSupervised, ModeBiometricsSuspended, ModeMaintenance, ModeClosed}
}

// OverrideReasons lists why an officer may override a referral or a refusal.
func OverrideReasons() []string {
	return []string{
		"document_checked", // the pass is good, he has it in his hand
		"identity_checked", // the holder is who the pass says, by eye
		"stamp_given",
		"account_cleared", // by headquarters, on another way
		"device_failure",
		"humanitarian",
		"commander_order",
	}
}

// OrderReasons lists why an officer may order a mode or a direction.
func OrderReasons() []string {
	return []string{"device_failure", "maintenance", "inspection", "security", "crowd", "staffing", "commander_order"}
}

// Limits of a mode's time.
const (
	// MaxSuspension is how long biometrics are suspended by one act at most;
	// such an act always has an end.
	MaxSuspension = 4 * time.Hour
	// MaxModeTime is how long any mode with an end lasts at most.
	MaxModeTime = 7 * 24 * time.Hour
)

// Act is an officer's word at a gate, signed with his own key and addressed to
// the gate by its header. Nonce is the gate's own, given out for this and good
// for seconds: so the act was signed after it, whatever the clocks say.
type Act struct {
	Do    string `json:"do"`
	Nonce string `json:"nonce"`
	Tx    string `json:"tx,omitempty"`   // with override, confirm and stamp: the transaction
	Mode  string `json:"mode,omitempty"` // with mode
	// ForS is how long the mode holds, seconds by the gate's monotonic clock; 0:
	// until it is taken back.
	ForS      int64  `json:"for_s,omitempty"`
	Direction string `json:"direction,omitempty"` // with direction: entry or exit
	// Reason is a word of OverrideReasons with override, of OrderReasons with a
	// direction and with every mode but normal.
	Reason string `json:"reason,omitempty"`
}

// Check holds an act to its form.
func (a Act) Check() error {
	of := func(acts ...string) bool { return slices.Contains(acts, a.Do) }
	switch {
	case !slices.Contains(Acts(), a.Do) || !validID(a.Nonce):
		return fmt.Errorf("%w: what is done, or the nonce", ErrOfficers)
	case of(ActOverride, ActConfirm, ActStamp) != (a.Tx != "") || a.Tx != "" && !validID(a.Tx):
		return fmt.Errorf("%w: a transaction goes with %s, %s and %s", ErrOfficers, ActOverride, ActConfirm, ActStamp)
	case of(ActDirection) != (a.Direction != "") || a.Direction != "" && a.Direction != "entry" && a.Direction != "exit":
		return fmt.Errorf("%w: a direction, entry or exit, goes with %s", ErrOfficers, ActDirection)
	}
	if err := a.checkMode(); err != nil {
		return err
	}
	return a.checkReason()
}

func (a Act) checkMode() error {
	left := time.Duration(a.ForS) * time.Second
	switch {
	case (a.Do == ActMode) != (a.Mode != ""):
		return fmt.Errorf("%w: a mode goes with %s", ErrOfficers, ActMode)
	case a.Mode != "" && !slices.Contains(ActModes(), a.Mode):
		return fmt.Errorf("%w: mode %.20q", ErrOfficers, a.Mode)
	case a.ForS < 0 || a.ForS > int64(MaxModeTime/time.Second) || a.ForS > 0 && (a.Mode == "" || a.Mode == ModeNormal):
		return fmt.Errorf("%w: a time of at most %s goes with a mode other than %s", ErrOfficers, MaxModeTime, ModeNormal)
	case a.Mode == ModeBiometricsSuspended && (left <= 0 || left > MaxSuspension):
		return fmt.Errorf("%w: %s needs an end within %s", ErrOfficers, ModeBiometricsSuspended, MaxSuspension)
	}
	return nil
}

func (a Act) checkReason() error {
	var list []string
	switch {
	case a.Do == ActOverride:
		list = OverrideReasons()
	case a.Do == ActDirection, a.Do == ActMode && a.Mode != ModeNormal:
		list = OrderReasons()
	case a.Reason == "":
		return nil
	}
	if !slices.Contains(list, a.Reason) {
		return fmt.Errorf("%w: reason %.20q, want one of %v", ErrOfficers, a.Reason, list)
	}
	return nil
}
