package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bordergate/cmd/gatesim/board"
	"bordergate/cmd/gatesim/scanner"
	"bordergate/gate"
	"bordergate/sync/journal"
	"bordergate/sync/vault"
)

// boardGate is a stopped gate with a simulated board.
func boardGate(t *testing.T, change func(*board.Options)) (config string, b *board.Board) {
	t.Helper()
	o := board.DefaultOptions()
	o.Link = filepath.Join(t.TempDir(), "barrier")
	if change != nil {
		change(&o)
	}
	b, err := board.New(o)
	if err != nil {
		t.Skipf("this machine has no pty: %v", err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	base := stoppedGate(t)
	text, err := os.ReadFile(base)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(base, []byte(strings.Replace(string(text), "/dev/gate/barrier", o.Link, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return base, b
}

func TestTurnstileStatus(t *testing.T) {
	config, b := boardGate(t, nil)
	got := gatectl(t, "turnstile", "status", "--config", config, "--json")
	var s turnstileState
	if err := json.Unmarshal([]byte(got.out), &s); err != nil || got.status != exitDone {
		t.Fatalf("%+v %v", got, err)
	}
	if !s.Online || s.Inputs["emergency"] != "off" || s.Inputs["ready"] != "on" || len(b.Grants()) != 0 {
		t.Errorf("%+v", s)
	}
	if err := b.Unplug(); err != nil {
		t.Fatal(err)
	}
	if got := gatectl(t, "turnstile", "status", "--config", config); got.status != exitUnable || !strings.Contains(got.err, "plug the adapter in") {
		t.Errorf("unplugged: %+v", got)
	}
	runningGate(t, config, nil)
	for _, words := range []string{"turnstile status", "turnstile watch", "turnstile grant", "camera face", "scanner", "face try"} {
		if got := gatectl(t, append(strings.Fields(words), "--config", config)...); got.status != exitUnable || !strings.Contains(got.err, "gated runs on it") {
			t.Errorf("%s beside a running gated: %+v", words, got)
		}
	}
}

// until is an output that calls back when it has a text.
type until struct {
	bytes.Buffer
	text string
	call func()
}

// Write implements io.Writer.
func (u *until) Write(p []byte) (int, error) {
	n, err := u.Buffer.Write(p)
	if strings.Contains(u.String(), u.text) {
		u.call()
	}
	return n, err
}

func TestTurnstileWatchTellsWhatHappens(t *testing.T) {
	config, b := boardGate(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &until{text: `"presence_on"`, call: cancel}
	begun := &until{text: `"device_online"`, call: func() { b.SetInput(8, true) }}
	both := writers{begun, out}
	var stderr bytes.Buffer
	if status := dispatch(ctx, env{Out: both, Err: &stderr}, commands(), []string{"turnstile", "watch", "--config", config}); status != exitDone || !strings.Contains(out.String(), `"presence_on"`) {
		t.Errorf("status %d, %s\n%s", status, out, &stderr)
	}
}

type writers []*until

// Write implements io.Writer.
func (w writers) Write(p []byte) (int, error) {
	for _, x := range w {
		if _, err := x.Write(p); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// ordered has the journal keep orders of modes as gated does.
func ordered(t *testing.T, config, text string) {
	t.Helper()
	withJournal(t, config, func(j *journal.Journal) {
		if err := j.PutBlob(blobModes, []byte(text)); err != nil {
			t.Fatal(err)
		}
	})
}

func withJournal(t *testing.T, config string, f func(*journal.Journal)) {
	t.Helper()
	dir := filepath.Dir(config)
	id, err := vault.LoadIdentity(dir + "/identity")
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(journal.Options{Path: filepath.Join(dir, journalFile), Gate: "lane-1", Signer: id.Signer})
	if err != nil {
		t.Fatal(err)
	}
	f(j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// maintenance is an officer's order.
func maintenance(t *testing.T, o gate.Order) string {
	t.Helper()
	b, err := json.Marshal(map[string]any{"boot": thisBoot(), "orders": []gate.Order{o}})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTurnstileGrantOnlyInMaintenance(t *testing.T) {
	config, b := boardGate(t, nil)
	for name, orders := range map[string]string{
		"no order":        `{}`,
		"closed":          maintenance(t, gate.Order{Mode: gate.ModeClosed, By: gate.ByStation}),
		"over":            maintenance(t, gate.Order{Mode: gate.ModeMaintenance, By: gate.ByStation, Until: 1}),
		"of another boot": strings.Replace(maintenance(t, gate.Order{Mode: gate.ModeMaintenance, By: gate.ByStation, Until: 1 << 62}), thisBoot(), "00", 1),
		"in an emergency": strings.Replace(maintenance(t, gate.Order{Mode: gate.ModeMaintenance, By: gate.ByStation}), "{", `{"emergency":true,`, 1),
		"cannot be read":  `{"orders":[{"mode":"x"}]}`,
	} {
		ordered(t, config, orders)
		if got := gatectl(t, "turnstile", "grant", "--config", config); got.status != exitUnable || len(b.Grants()) != 0 {
			t.Errorf("%s: %+v, %d grants", name, got, len(b.Grants()))
		}
	}
}

// TestTurnstileGrantIsOnRecordFirst compares the record's time with that at
// which the board was told.
func TestTurnstileGrantIsOnRecordFirst(t *testing.T) {
	var b *board.Board
	config, b := boardGate(t, func(o *board.Options) {
		o.OnUnlock = func(int64, int) { go b.Pulse(1, 200e6) } // somebody passes to the exit
	})
	ordered(t, config, maintenance(t, gate.Order{Mode: gate.ModeMaintenance, By: gate.ByStation}))
	got := gatectl(t, "turnstile", "grant", "--config", config, "--json")
	if got.status != exitDone || !strings.Contains(got.out, `"outcome":"passed"`) {
		t.Fatalf("%+v", got)
	}
	grants := b.Grants()
	if len(grants) != 1 || grants[0].Channel != 1 {
		t.Fatalf("%+v", grants)
	}
	var kinds []string
	withJournal(t, config, func(j *journal.Journal) {
		raws, err := j.Tail(2, 8)
		if err != nil {
			t.Fatal(err)
		}
		for _, raw := range raws {
			l, err := journal.NewLine(raw, nil)
			if err != nil {
				t.Fatal(err)
			}
			kinds = append(kinds, l.Kind)
			if l.Kind == kindTrial && l.Mono >= grants[0].At {
				t.Errorf("recorded at %d, granted at %d", l.Mono, grants[0].At)
			}
		}
	})
	if strings.Join(kinds, " ") != kindTrial+" "+kindTrialEnd {
		t.Errorf("records %v", kinds)
	}
}

func TestScannerTellsNoPayloadUnlessAsked(t *testing.T) {
	o := scanner.DefaultOptions()
	o.Link = filepath.Join(t.TempDir(), "scanner")
	s, err := scanner.New(o)
	if err != nil {
		t.Skipf("this machine has no pty: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	config := edited(t, stoppedGate(t), "dialect: none ", "dialect: honeywell ", "/dev/gate/scanner", o.Link)
	s.Present(scanner.Code{AIM: "]Q1", Payload: []byte("PERSONAL")})
	got := gatectl(t, "scanner", "--config", config, "--count", "1")
	if got.status != exitDone || got.out != `{"symbology":"qr","aim":"]Q1","bytes":8}`+"\n" {
		t.Errorf("%+v", got)
	}
	got = gatectl(t, "scanner", "--config", config, "--count", "1", "--show")
	if got.status != exitDone || !strings.Contains(got.out, `"payload_base64":"UEVSU09OQUw="`) {
		t.Errorf("%+v", got)
	}
	if got := gatectl(t, "scanner", "--config", stoppedGate(t)); got.status != exitUnable || !strings.Contains(got.err, "no scanner") {
		t.Errorf("%+v", got)
	}
}
