package app

import (
	"strings"
	"testing"

	"bordergate/gate"
	"bordergate/gate/reason"
)

func TestHubSendsTheStateFirstAndEachChange(t *testing.T) {
	h := newHub(func() int64 { return 7 })
	h.Show(gate.View{State: gate.Ready, Mode: gate.ModeNormal})
	events, end := h.listen()
	defer end()
	if e := <-events; e.Kind != "lane" || e.State != "ready" || e.At != 7 {
		t.Fatalf("first event %+v", e)
	}
	h.Show(gate.View{
		State: gate.ReferredAway, Tx: gate.TxID{1}, Finished: true, Outcome: reason.Referred,
		Reasons: []reason.Reason{reason.AccountLevel}, Steps: map[string]int64{gate.StepVerdict: 1500},
	})
	e := <-events
	if e.Kind != "transaction" || e.Outcome != "referred" || len(e.Reasons) != 1 || e.Reasons[0] != "account_level" || e.Steps["verdict"] != 1.5 {
		t.Fatalf("event %+v", e)
	}
}

func TestHubDropsAListenerThatSleepsNotTheLane(t *testing.T) {
	h := newHub(func() int64 { return 0 })
	events, end := h.listen()
	for range 1000 {
		h.Show(gate.View{State: gate.Ready})
	}
	n := 0
	for range events {
		n++
	}
	if n == 0 || n > 256 {
		t.Fatalf("%d events before the end", n)
	}
	end() // safe after the hub has ended it
}

func TestHubKeepsTheLastTransactions(t *testing.T) {
	h := newHub(func() int64 { return 0 })
	for i := range 3 * recentKept {
		h.Show(gate.View{Finished: true, Tx: gate.TxID{byte(i)}, Outcome: reason.Admitted})
	}
	if _, recent := h.snapshot(); len(recent) != recentKept || recent[recentKept-1].Tx != (gate.TxID{3*recentKept - 1}).String() {
		t.Fatalf("kept %d", len(recent))
	}
}

// TestWatchListIsNotShown: what the stream and the page say of a hit is what
// they say of any other referral.
func TestWatchListIsNotShown(t *testing.T) {
	h := newHub(func() int64 { return 1 })
	events, end := h.listen()
	defer end()
	<-events
	h.Show(gate.View{Tx: gate.TxID{1}, Outcome: reason.Referred, Reasons: []reason.Reason{reason.AccountLevel, reason.Watchlist, reason.RandomCheck}, Finished: true})
	e := <-events
	_, recent := h.snapshot()
	for _, text := range []string{string(e.json()), string(recent[0].json())} {
		if strings.Contains(text, "watchlist") || strings.Contains(text, "random_check") || !strings.Contains(text, "account_level") || !strings.Contains(text, "referred") {
			t.Errorf("shown: %s", text)
		}
	}
}
