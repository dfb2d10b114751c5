package console

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bordergate/sync/wire"
)

func TestBoardPutsRecordsTogether(t *testing.T) {
	d := newDesk(t)
	d.record(wire.StreamImage, kindStill, 1, map[string]any{"for": "decision"}, true) // before what it belongs to
	d.record(wire.StreamCrossing, kindDecision, 1, map[string]any{"outcome": "referred", "reasons": []string{"face_mismatch"}}, true)
	d.record(wire.StreamCrossing, kindDecision, 1, map[string]any{"outcome": "refused", "reasons": []string{"forced"}}, true) // again
	x, ok := d.board.get(exc1)
	if !ok || !x.Photo || !x.Person || x.Ended || !slices.Equal(x.Reasons, []string{"face_mismatch"}) {
		t.Fatalf("%+v", x)
	}
	d.record(wire.StreamCrossing, kindOutcome, 2, map[string]any{"outcome": "referred", "reasons": []string{"face_mismatch", "pass_stamp_due"}}, false)
	if x, _ = d.board.get(exc1); !x.Ended || len(x.Reasons) != 2 {
		t.Fatalf("%+v", x)
	}
	d.record(wire.StreamCrossing, kindDecision, 3, map[string]any{"outcome": "overridden", "reasons": []string{"face_mismatch"}}, true)
	if x, _ = d.board.get(exc1); x.Answer == nil || x.Answer.Do != doAdmit {
		t.Fatalf("let through at the gate: %+v", x)
	}
}

func TestAdmittedTravellersAreNoException(t *testing.T) {
	d := newDesk(t)
	d.record(wire.StreamCrossing, kindDecision, 1, map[string]any{"outcome": "admitted"}, true)
	d.record(wire.StreamCrossing, kindOutcome, 2, map[string]any{"outcome": "admitted", "steps_us": map[string]int64{
		"symbol_in_view": 1_000_000, "first_usable_face": 1_200_000, "grant_sent": 1_300_000, "passage_completed": 4_000_000,
	}}, false)
	if list := d.board.all(); len(list) != 0 {
		t.Fatalf("%+v", list)
	}
	f := d.board.report()
	if f.Outcomes["admitted"] != 1 || f.Machine != (Spread{1, 100, 100}) || f.Total != (Spread{1, 3000, 3000}) || len(f.Hours) != figureHours {
		t.Fatalf("%+v", f)
	}
}

func TestFiguresCountWhatOfficersOverturned(t *testing.T) {
	d := newDesk(t)
	for i := range 9 {
		d.record(wire.StreamCrossing, kindOutcome, uint64(i)+1, map[string]any{"outcome": "admitted"}, false)
	}
	d.record(wire.StreamCrossing, kindOutcome, 10, map[string]any{"outcome": "overridden", "reasons": []string{"face_mismatch", "officer_decision"}}, false)
	d.record(wire.StreamCrossing, kindOutcome, 11, map[string]any{"outcome": "overridden", "reasons": []string{"pass_stamp_due"}}, false)
	for at := uint64(12); at < 15; at++ { // under one of them nobody went through
		d.record(wire.StreamCrossing, kindDecision, at, map[string]any{"outcome": "overridden", "reasons": []string{"pass_stamp_due"}}, false)
	}
	f := d.board.report()
	if f.Overridden != 3 || f.Doubted != 1 || f.Through != 11 || f.FalseRejects != 1.0/11 || f.Reasons["face_mismatch"] != 1 {
		t.Fatalf("%+v", f)
	}
}

func TestTechniciansAreNotToldOfTheSecondLine(t *testing.T) {
	d := newDesk(t)
	d.record(wire.StreamCrossing, kindOutcome, 1, map[string]any{"outcome": "referred", "reasons": []string{"watchlist"}}, false)
	for role, want := range map[string]bool{"operator": true, "technician": false, "auditor": false} {
		f := decode[Figures](t, d.login(role).ask("GET", "/api/figures", ""))
		if _, told := f.Reasons["watchlist"]; told != want || !want && f.Reasons["second_line"] != 1 {
			t.Errorf("%s: %v", role, f.Reasons)
		}
	}
}

func TestSpread(t *testing.T) {
	var list []float64
	for i := range 100 {
		list = append(list, float64(100-i))
	}
	if s := spread(list); s != (Spread{100, 50, 95}) {
		t.Fatalf("%+v", s)
	}
}

func TestBoardIsBounded(t *testing.T) {
	d := newDesk(t)
	for i := range maxExceptions + 50 {
		r := wire.Record{
			Gate: "lane-1", Epoch: 1, Stream: wire.StreamCrossing, Seq: uint64(i) + 1, Kind: kindDecision, Tx: [16]byte{1, byte(i >> 8), byte(i)},
			Public: []byte(`{"outcome":"referred","reasons":["face_none"]}`), Wall: int64(i),
		}
		d.Take(r, Ref{At: uint64(i)})
	}
	list := d.board.all()
	if len(list) != maxExceptions || list[0].At.UnixNano() != maxExceptions+49 {
		t.Fatalf("%d exceptions, newest %v", len(list), list[0].At)
	}
}

func TestUnansweredExceptionIsMarkedAndRecordedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		ctx, cancel := context.WithCancel(t.Context())
		pass(time.Second)
		d.refer()
		done := make(chan struct{})
		go func() { defer close(done); d.keep(ctx) }()
		pass(d.o.Late + 5*time.Second)
		if x, _ := d.board.get(exc1); !x.Overdue {
			t.Errorf("%+v", x)
		}
		if got := d.log.did(bySystem); !slices.Equal(got, []string{DidOverdue + " " + exc1}) {
			t.Errorf("on record: %v", got)
		}
		cancel()
		<-done
	})
}

// read gives the lines of a stream up to one that begins with what is wanted.
func readTo(t *testing.T, sc *bufio.Scanner, want string) (lines []string) {
	t.Helper()
	for sc.Scan() {
		lines = append(lines, sc.Text())
		if strings.HasPrefix(sc.Text(), want) {
			return lines
		}
	}
	t.Fatalf("stream ended without %q: %v %v", want, lines, sc.Err())
	return nil
}

func TestStreamGivesWhatWasMissed(t *testing.T) {
	d := newDesk(t)
	srv := httptest.NewServer(d)
	defer srv.Close()
	o := d.login("operator")
	open := func(last string) (*bufio.Scanner, func()) {
		ctx, cancel := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, "GET", srv.URL+"/api/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.AddCookie(o.cookie)
		if last != "" {
			r.Header.Set("Last-Event-ID", last)
		}
		resp, err := srv.Client().Do(r)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%v %v", resp, err)
		}
		return bufio.NewScanner(resp.Body), func() { cancel(); _ = resp.Body.Close() }
	}
	sc, end := open("")
	first := readTo(t, sc, "event: resync")
	id := strings.TrimPrefix(first[slices.IndexFunc(first, func(l string) bool { return strings.HasPrefix(l, "id: ") })], "id: ")
	end()
	d.refer() // while the page is away
	sc, end = open(id)
	got := strings.Join(readTo(t, sc, "data: "), "\n")
	if strings.Contains(got, "resync") || !strings.Contains(got, exc1) || strings.Contains(got, "A-7") {
		t.Fatalf("%s", got)
	}
	end()
	for i := range keptNews + 10 {
		d.hub.tell("lane", Lane{Gate: fmt.Sprint(i)})
	}
	for _, from := range []string{id, "another-1", "x"} {
		sc, end = open(from)
		if got := strings.Join(readTo(t, sc, "data: "), "\n"); !strings.Contains(got, "resync") {
			t.Fatalf("from %s: %s", from, got)
		}
		end()
	}
}

// TestStreamEndsWithItsSession also holds the stream to who may meet travellers.
func TestStreamEndsWithItsSession(t *testing.T) {
	d := newDesk(t)
	srv := httptest.NewServer(d)
	defer srv.Close()
	o := d.login("technician")
	r, err := http.NewRequestWithContext(t.Context(), "GET", srv.URL+"/api/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(o.cookie)
	resp, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	sc := bufio.NewScanner(resp.Body)
	readTo(t, sc, "event: resync")
	d.refer()
	d.hub.tell("lane", Lane{Gate: "lane-1"})
	if got := strings.Join(readTo(t, sc, `data: {"gate"`), "\n"); strings.Contains(got, exc1) {
		t.Fatalf("a technician is told of a traveller: %s", got)
	}
	if w := o.ask("POST", "/api/logout", "{}"); w.Code != http.StatusOK {
		t.Fatal(w.Code)
	}
	d.hub.tell("lane", Lane{Gate: "lane-2"})
	readTo(t, sc, "event: over")
}
