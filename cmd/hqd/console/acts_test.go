package console

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"bordergate/gate/reason"
	"bordergate/sync/wire"
)

// TestEveryLookIsWrittenFirst: what shows a person is on record before, and
// without the record nothing is opened.
func TestEveryLookIsWrittenFirst(t *testing.T) {
	d := newDesk(t)
	d.refer()
	o := d.login("operator")
	for _, tc := range []struct{ method, path, did, asked string }{
		{"GET", "/api/exceptions/" + exc1, DidLook + " " + exc1, "open 1"},
		{"GET", "/api/exceptions/" + exc1 + "/photo/live", DidPhoto + " " + exc1, "open 2"},
		{"GET", "/api/exceptions/" + exc1 + "/photo/enrolled", DidPhoto + " " + exc1, "portrait A-7"},
		{"POST", "/api/exceptions/" + exc1 + "/stamp", DidStamp + " " + exc1, "stamp P-7 operator"},
	} {
		d.hq.asked = nil
		d.log.broken = errors.New("disk is full")
		if w := o.ask(tc.method, tc.path, "{}"); w.Code != http.StatusServiceUnavailable || len(d.hq.asked) != 0 || strings.Contains(w.Body.String(), "disk") {
			t.Errorf("%s without a log: %d %s, asked %v", tc.path, w.Code, w.Body, d.hq.asked)
		}
		d.log.broken = nil
		_ = o.ask(tc.method, tc.path, "{}")
		if got := d.log.did("operator"); got[len(got)-1] != tc.did || !slices.Contains(d.hq.asked, tc.asked) {
			t.Errorf("%s: on record %v, asked %v", tc.path, got, d.hq.asked)
		}
	}
	d.login("auditor").ask("GET", "/api/log", "")
	if got := d.log.did("auditor"); got[len(got)-1] != DidRead {
		t.Errorf("reading the log: %v", got)
	}
}

func TestLookShowsWhomItConcerns(t *testing.T) {
	d := newDesk(t)
	d.refer()
	l := decode[Look](t, d.login("operator").ask("GET", "/api/exceptions/"+exc1, ""))
	if !l.Known || l.Pass != "P-7" || l.Account != "A-7" || len(l.History) != 1 || l.Score != 0.31 || !l.Photo || len(l.Reasons) != 2 {
		t.Fatalf("%+v", l)
	}
	board := d.login("operator").ask("GET", "/api/board", "")
	if strings.Contains(board.Body.String(), "P-7") || !strings.Contains(board.Body.String(), exc1) {
		t.Fatalf("the list names somebody, or lacks him: %s", board.Body)
	}
	if b := d.login("technician").ask("GET", "/api/board", ""); strings.Contains(b.Body.String(), exc1) {
		t.Fatalf("a technician sees exceptions: %s", b.Body)
	}
	w := d.login("operator").ask("GET", "/api/exceptions/"+exc1+"/photo/enrolled", "")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "no photograph is kept") {
		t.Fatalf("a photograph that is not there: %d %s", w.Code, w.Body)
	}
	if w = d.login("operator").ask("GET", "/api/exceptions/"+exc1+"/photo/live", ""); w.Header().Get("Content-Type") != "image/jpeg" {
		t.Fatalf("%v", w.Header())
	}
}

// TestTextOfAGateStaysText: what a gate says is data, never markup.
func TestTextOfAGateStaysText(t *testing.T) {
	d := newDesk(t)
	d.refer("<script>alert(1)</script>", strings.Repeat("x", 1000))
	w := d.login("operator").ask("GET", "/api/board", "")
	if strings.Contains(w.Body.String(), "<script") || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%v %s", w.Header(), w.Body)
	}
	x, _ := d.board.get(exc1)
	if len(x.Reasons[1]) > maxText {
		t.Fatalf("a text of %d bytes", len(x.Reasons[1]))
	}
}

const answered = `{"do":"refer","reason":"second_line"}`

func TestOfTwoOfficersOneIsTold(t *testing.T) {
	d := newDesk(t)
	d.refer()
	a, b := d.login("operator"), d.login("deputy")
	if w := a.ask("POST", "/api/exceptions/"+exc1+"/answer", answered); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	w := b.ask("POST", "/api/exceptions/"+exc1+"/answer", `{"do":"refuse","reason":"not_entitled"}`)
	if w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "operator has answered this") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if got := d.log.did("deputy"); slices.Contains(got, DidAnswer+" "+exc1) {
		t.Fatalf("both are on record: %v", got)
	}
}

func admission(role string) string {
	return fmt.Sprintf(`{"reason":"identity_checked","act":%q}`, base64.StdEncoding.EncodeToString([]byte("signed by o-"+role)))
}

// TestAdmissionIsOnRecordBeforeItGoes: while one's act is on its way, another's
// is told so, and what came of it is recorded either way.
func TestAdmissionIsOnRecordBeforeItGoes(t *testing.T) {
	d := newDesk(t)
	d.refer()
	a, b := d.login("operator"), d.login("deputy")
	d.hq.hold, d.hq.began = make(chan struct{}), make(chan struct{}, 1)
	d.hq.result = Result{Why: "the lane must not open now"}
	done := make(chan Result)
	go func() {
		done <- decode[Result](t, a.ask("POST", "/api/exceptions/"+exc1+"/admit", admission("operator")))
	}()
	<-d.hq.began
	if got := d.log.did("operator"); got[len(got)-1] != DidClaim+" "+exc1 {
		t.Errorf("sent before it was on record: %v", got)
	}
	if w := b.ask("POST", "/api/exceptions/"+exc1+"/admit", admission("deputy")); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "operator is answering") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	close(d.hq.hold)
	if out := <-done; out.Done || out.Why == "" {
		t.Fatalf("%+v", out)
	}
	if got := d.log.did("operator"); got[len(got)-1] != DidFail+" "+exc1 {
		t.Fatalf("%v", got)
	}
	d.hq.hold, d.hq.result = nil, Result{Done: true}
	if out := decode[Result](t, b.ask("POST", "/api/exceptions/"+exc1+"/admit", admission("deputy"))); !out.Done {
		t.Fatalf("after the first one failed: %+v", out)
	}
	if x, _ := d.board.get(exc1); x.Answer == nil || x.Answer.Pending || x.Answer.By != "deputy" || x.Answer.Do != doAdmit {
		t.Fatalf("%+v", x.Answer)
	}
}

func TestAdmissionIsTheOfficersOwn(t *testing.T) {
	d := newDesk(t)
	d.refer()
	o := d.login("operator")
	for name, tc := range map[string]struct {
		act  wire.Act
		body string
		code int
	}{
		"another's signature": {wire.Act{Do: wire.ActOverride, Tx: tx1}, admission("deputy"), http.StatusForbidden},
		"another traveller":   {wire.Act{Do: wire.ActOverride, Tx: strings.Repeat("02", 16)}, admission("operator"), http.StatusBadRequest},
		"another act":         {wire.Act{Do: wire.ActMode, Mode: wire.ModeNormal}, admission("operator"), http.StatusBadRequest},
		"no reason":           {wire.Act{Do: wire.ActOverride, Tx: tx1}, strings.Replace(admission("operator"), "identity_checked", "", 1), http.StatusBadRequest},
		"reason not signed":   {wire.Act{Do: wire.ActOverride, Tx: tx1, Reason: "humanitarian"}, admission("operator"), http.StatusBadRequest},
		"another's reason":    {wire.Act{Do: wire.ActOverride, Tx: tx1}, strings.Replace(admission("operator"), "identity_checked", "left", 1), http.StatusBadRequest},
		"unknown field":       {wire.Act{Do: wire.ActOverride, Tx: tx1}, `{"x":1}`, http.StatusBadRequest},
	} {
		d.hq.act, d.hq.asked = tc.act, nil
		if w := o.ask("POST", "/api/exceptions/"+exc1+"/admit", tc.body); w.Code != tc.code || len(d.hq.asked) != 0 {
			t.Errorf("%s: %d %s, asked %v", name, w.Code, w.Body, d.hq.asked)
		}
	}
	d.hq.act = wire.Act{Do: wire.ActOverride, Tx: tx1}
	if w := o.ask("POST", "/api/lanes/lane-1/act", admissionAct("operator")); w.Code != http.StatusBadRequest {
		t.Errorf("an override past its exception: %d %s", w.Code, w.Body)
	}
}

func admissionAct(role string) string {
	return fmt.Sprintf(`{"act":%q}`, base64.StdEncoding.EncodeToString([]byte("signed by o-"+role)))
}

func TestStopAllTellsWhichLaneDidNot(t *testing.T) {
	d := newDesk(t)
	o := d.login("operator")
	if w := o.ask("POST", "/api/stop", `{}`); w.Code != http.StatusBadRequest || len(d.hq.asked) != 0 {
		t.Fatalf("not confirmed: %d", w.Code)
	}
	d.log.broken = errors.New("disk is full") // stopping does not wait for the log
	out := decode[map[string]Result](t, o.ask("POST", "/api/stop", `{"confirm":true}`))
	if !out["lane-1"].Done || out["lane-2"].Done || out["lane-2"].Why == "" {
		t.Fatalf("%+v", out)
	}
	if w := o.ask("POST", "/api/lanes/lane-9/mode", `{"mode":"closed"}`); w.Code != http.StatusNotFound {
		t.Fatalf("a lane of another station: %d", w.Code)
	}
}

// TestReasonsOfAdmissionsAreTheGates: what the page offers is what a gate takes.
func TestReasonsOfAdmissionsAreTheGates(t *testing.T) {
	for _, code := range wire.OverrideReasons() {
		if !goodCode(doAdmit, code) {
			t.Errorf("%s is not offered", code)
		}
	}
	for _, c := range Codes() {
		if slices.Contains(c.For, doAdmit) && !slices.Contains(wire.OverrideReasons(), c.Code) {
			t.Errorf("%s is no reason to a gate", c.Code)
		}
	}
}

func TestEveryReasonHasWords(t *testing.T) {
	words := phrases()
	for _, r := range reason.Reasons() {
		if words[r.String()].Is == "" {
			t.Errorf("no words for %s", r)
		}
	}
	for _, o := range reason.Outcomes() {
		if words[o.String()].Is == "" {
			t.Errorf("no words for %s", o)
		}
	}
}
