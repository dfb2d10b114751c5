package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bordergate/gate"
	"bordergate/gate/reason"
	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// referral is a transaction of two records.
func referral(t *testing.T, config string) {
	t.Helper()
	dir := filepath.Dir(config)
	id, err := vault.LoadIdentity(dir + "/identity")
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(filepath.Join(dir, keysDir), id.Master)
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(journal.Options{Path: filepath.Join(dir, journalFile), Gate: "lane-1", Vault: v, Signer: id.Signer})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	p := gate.Public{
		Outcome: reason.Referred, Reasons: []reason.Reason{reason.FaceMismatch, reason.Watchlist}, Direction: "exit", Policy: 7, Mode: "normal",
		Faces: &gate.FaceCount{Frames: 20, None: 2, Poor: 4, Usable: 14}, Score: .31, Threshold: .42, Frames: 5, Model: "m", Reference: "cache",
		Steps: map[string]int64{gate.StepPresence: 0, gate.StepSymbolDecoded: 1_200_000, gate.StepVerdict: 2_500_000},
	}
	end := gate.Public{Outcome: reason.Referred, Reasons: p.Reasons, Steps: map[string]int64{gate.StepReady: 9_000_000}}
	for kind, public := range map[string]gate.Public{gate.EntryDecision: p, gate.EntryOutcome: end} {
		d := journal.Draft{Stream: wire.StreamCrossing, Kind: kind, Tx: [16]byte{0xca, 0xfe}, Public: public, Wall: time.Now().UnixNano(), Class: vault.ClassCrossing}
		if kind == gate.EntryDecision {
			d.Personal = []byte(`{"pass_number":"P-SECRET"}`)
		}
		if _, err := j.Append(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
}

func TestExplain(t *testing.T) {
	config := stoppedGate(t)
	referral(t, config)
	for name, c := range map[string]struct {
		args   string
		status int
		has    []string
		hasNot string
	}{
		"for people": {"cafe", exitDone, []string{
			"referred", "headquarters' policy 7", "face_mismatch (refuse): not the enrolled face", "score 0.310, threshold 0.420, over 5 frames",
			"frames: 20, without a face 2", "1.200 s  symbol_decoded", "+1.300 s", "9.000 s  ready", "hidden (refer)",
		}, "watchlist"},
		"for programs":    {"cafe --json", exitDone, []string{`"outcome":"referred"`, `"reached":false`, `{"step":"verdict","ms":2500,"after_ms":1300}`}, "SECRET"},
		"opened":          {"CAFE --open", exitDone, []string{"watchlist (refer): never shown", "P-SECRET"}, "hidden"},
		"the last":        {"last", exitDone, []string{"cafe0000"}, "SECRET"},
		"none of that id": {"beef", exitNegative, []string{"headquarters may have it"}, "SECRET"},
		"not an id":       {"zebra", exitUnable, []string{"hex digits"}, "SECRET"},
		"two":             {"cafe beef", exitUnable, []string{"name one transaction"}, "SECRET"},
	} {
		t.Run(name, func(t *testing.T) {
			got := gatectl(t, append([]string{"explain", "--config", config}, strings.Fields(c.args)...)...)
			for _, want := range c.has {
				if got.status != c.status || !strings.Contains(got.out+got.err, want) {
					t.Errorf("status %d, want %q in\n%s%s", got.status, want, got.out, got.err)
				}
			}
			if strings.Contains(got.out+got.err, c.hasNot) {
				t.Errorf("it tells %q:\n%s", c.hasNot, got.out)
			}
		})
	}
}

func TestExplainAsksTheRunningGate(t *testing.T) {
	config := stoppedGate(t)
	line, err := json.Marshal([]journal.Line{{Tx: "cafe", Kind: gate.EntryOutcome, Public: json.RawMessage(`{"outcome":"admitted","reasons":[],"granted":true}`)}})
	if err != nil {
		t.Fatal(err)
	}
	runningGate(t, config, map[string]string{"GET /v1/transactions/last": string(line)})
	if got := gatectl(t, "explain", "last", "--config", config); got.status != exitDone || !strings.Contains(got.out, "let one person through") {
		t.Errorf("%+v", got)
	}
	if got := gatectl(t, "explain", "cafe", "--config", config); got.status != exitNegative {
		t.Errorf("%+v", got)
	}
}
