package wire

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

const testID = "00112233445566778899aabbccddeeff"

func testCommand() (Header, Command) {
	h := Header{Typ: TypeCommand, Ver: 1, To: "lane-1", Topic: Down("lane-1", "cmd"), Seq: 7, Iat: testNow.UnixMilli()}
	h.Exp = testNow.Add(time.Minute).UnixMilli()
	return h, Command{ID: testID, Boot: "b-1", Do: DoMode, Mode: ModeClosed}
}

func TestCommandForm(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Header, *Command)
		ok     bool
	}{
		"good":             {func(*Header, *Command) {}, true},
		"restart":          {func(_ *Header, c *Command) { c.Do, c.Mode = DoRestart, "" }, true},
		"clock":            {func(_ *Header, c *Command) { c.Do, c.Mode, c.Time = DoClock, "", 1 }, true},
		"no id":            {func(_ *Header, c *Command) { c.ID = "" }, false},
		"id in capitals":   {func(_ *Header, c *Command) { c.ID = strings.ToUpper(testID) }, false},
		"no connection":    {func(_ *Header, c *Command) { c.Boot = "" }, false},
		"no number":        {func(h *Header, _ *Command) { h.Seq = 0 }, false},
		"no expiry":        {func(h *Header, _ *Command) { h.Exp = 0 }, false},
		"long life":        {func(h *Header, _ *Command) { h.Exp = h.Iat + MaxCommandLife.Milliseconds() + 1 }, false},
		"before its issue": {func(h *Header, _ *Command) { h.Exp = h.Iat }, false},
		"unknown order":    {func(_ *Header, c *Command) { c.Do, c.Mode = "open", "" }, false},
		"maintenance":      {func(_ *Header, c *Command) { c.Mode = "maintenance" }, false},
		"mode missing":     {func(_ *Header, c *Command) { c.Mode = "" }, false},
		"mode elsewhere":   {func(_ *Header, c *Command) { c.Do = DoRestart }, false},
		"clock, no time":   {func(_ *Header, c *Command) { c.Do, c.Mode = DoClock, "" }, false},
		"time elsewhere":   {func(_ *Header, c *Command) { c.Time = 1 }, false},
		"nonce":            {func(_ *Header, c *Command) { c.Do, c.Mode = DoNonce, "" }, true},
		"act":              {func(_ *Header, c *Command) { c.Do, c.Mode, c.Act = DoAct, "", []byte("x") }, true},
		"act missing":      {func(_ *Header, c *Command) { c.Do, c.Mode = DoAct, "" }, false},
		"act elsewhere":    {func(_ *Header, c *Command) { c.Act = []byte("x") }, false},
		"long act":         {func(_ *Header, c *Command) { c.Do, c.Mode, c.Act = DoAct, "", make([]byte, MaxAct+1) }, false},
		"long name":        {func(_ *Header, c *Command) { c.By = strings.Repeat("a", MaxKid+1) }, false},
	} {
		h, c := testCommand()
		tc.change(&h, &c)
		if err := c.Check(h); (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrCommand) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestResultForm(t *testing.T) {
	good := Result{ID: testID, Do: DoDiagnostics, Outcome: OutcomeExecuted, Sealed: []byte{1}}
	for name, tc := range map[string]struct {
		change func(*Result)
		ok     bool
	}{
		"good":               {func(*Result) {}, true},
		"refused":            {func(r *Result) { r.Outcome, r.Why, r.Sealed = OutcomeRefused, "busy", nil }, true},
		"refused, no reason": {func(r *Result) { r.Outcome, r.Sealed = OutcomeRefused, nil }, false},
		"refused, sealed":    {func(r *Result) { r.Outcome, r.Why = OutcomeRefused, "busy" }, false},
		"sealed elsewhere":   {func(r *Result) { r.Do = DoClock }, false},
		"nonce":              {func(r *Result) { r.Do, r.Sealed, r.Nonce = DoNonce, nil, testID }, true},
		"no nonce":           {func(r *Result) { r.Do, r.Sealed = DoNonce, nil }, false},
		"nonce unasked":      {func(r *Result) { r.Nonce = testID }, false},
		"nonce of no form":   {func(r *Result) { r.Do, r.Sealed, r.Nonce = DoNonce, nil, "x" }, false},
		"unknown outcome":    {func(r *Result) { r.Outcome = "perhaps" }, false},
		"unknown order":      {func(r *Result) { r.Do = "open" }, false},
		"long reason":        {func(r *Result) { r.Why = strings.Repeat("x", MaxWhy+1) }, false},
		"id":                 {func(r *Result) { r.ID = testID[1:] }, false},
	} {
		r := good
		tc.change(&r)
		if err := r.Check(); (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrCommand) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDiagnosticsAreForHeadquartersAlone(t *testing.T) {
	key, err := NewSealKey()
	if err != nil {
		t.Fatal(err)
	}
	plain := make([]byte, MaxDiagnostics)
	sealed, err := SealDiagnostics(key.PublicKey(), "lane-1", testID, plain)
	if err != nil {
		t.Fatal(err)
	}
	r := Result{ID: testID, Do: DoDiagnostics, Outcome: OutcomeExecuted, Sealed: sealed}
	if got, err := r.OpenDiagnostics(key, "lane-1"); err != nil || len(got) != len(plain) {
		t.Fatalf("opened %d bytes, %v", len(got), err)
	}
	if _, err := r.OpenDiagnostics(key, "lane-2"); !errors.Is(err, ErrSealed) {
		t.Fatalf("of another gate: %v", err)
	}
	if _, err := SealDiagnostics(key.PublicKey(), "lane-1", testID, append(plain, 0)); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("too large: %v", err)
	}
	// The largest there is still goes into one message.
	if _, err := SignJSON(testSigner("lane-1", RoleGate), Header{Typ: TypeResult, Ver: 1, To: ToHQ, Topic: Up("lane-1", TypeResult)}, r); err != nil {
		t.Fatal(err)
	}
}

// FuzzCommand lets nothing through its check that is not an order of the list.
func FuzzCommand(f *testing.F) {
	h, c := testCommand()
	seed, err := json.Marshal(c)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed, h.Seq, h.Iat, h.Exp)
	f.Add([]byte(`{"id":"`+testID+`","boot":"b","do":"clock","at_unix_ns":1}`), uint64(1), int64(0), int64(1))
	f.Add([]byte(`{"do":["mode"]}`), uint64(1), int64(-1), int64(1))
	f.Fuzz(func(t *testing.T, in []byte, seq uint64, iat, exp int64) {
		c, err := Decode[Command](in)
		if err != nil || c.Check(Header{Seq: seq, Iat: iat, Exp: exp}) != nil {
			return
		}
		if seq == 0 || exp <= iat || len(c.ID) != 32 || c.Do == DoMode && c.Mode != ModeClosed && c.Mode != ModeNormal {
			t.Fatalf("accepted %+v", c)
		}
	})
}

// FuzzResult lets nothing through that HQ could take for a good result.
func FuzzResult(f *testing.F) {
	f.Add([]byte(`{"id":"` + testID + `","do":"mode","outcome":"refused","why":"busy"}`))
	f.Add([]byte(`{"id":"` + testID + `","do":"diagnostics","outcome":"executed","sealed":"AA=="}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := Decode[Result](in)
		if err != nil || r.Check() != nil {
			return
		}
		if len(r.ID) != 32 || r.Outcome != OutcomeExecuted && r.Why == "" || len(r.Why) > MaxWhy {
			t.Fatalf("accepted %+v", r)
		}
	})
}
