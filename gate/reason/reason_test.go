package reason

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// contract is the list of contracts, word for word.
const contract = `pass_unreadable pass_format pass_signature pass_signer pass_expired pass_not_yet_valid pass_revoked pass_type pass_crossing pass_direction pass_stamp_due movement_sequence movement_unchecked passback account_unknown account_suspended account_cancelled account_level watchlist cache_stale clock_untrusted face_none face_many face_quality face_mismatch liveness_attack liveness_undecided biometrics_unavailable capture_timeout passage_unused tailgating wrong_way forced obstruction device_fault journal_fault mode_closed mode_emergency mode_catching_up mode_suspended_biometrics officer_decision random_check interrupted`

func TestReasonsAreTheContract(t *testing.T) {
	var got []string
	for _, r := range Reasons() {
		got = append(got, r.String())
		if r.Effect() < Mark || r.Effect() > Refuse {
			t.Errorf("%v has no effect", r)
		}
	}
	if s := strings.Join(got, " "); s != contract {
		t.Fatalf("reasons are\n%s\nwant\n%s", s, contract)
	}
	var outs []string
	for _, o := range Outcomes() {
		outs = append(outs, o.String())
	}
	if s := strings.Join(outs, " "); s != "admitted referred refused abandoned failed overridden interrupted" {
		t.Fatalf("outcomes are %s", s)
	}
}

func TestTextRoundTrip(t *testing.T) {
	for _, r := range Reasons() {
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var back Reason
		if err := json.Unmarshal(b, &back); err != nil || back != r {
			t.Fatalf("%s came back as %v: %v", b, back, err)
		}
	}
	for _, o := range Outcomes() {
		b, _ := json.Marshal(o)
		var back Outcome
		if err := json.Unmarshal(b, &back); err != nil || back != o {
			t.Fatalf("%s came back as %v: %v", b, back, err)
		}
	}
	for _, bad := range []string{`"invalid"`, `""`, `"Admitted"`} {
		var o Outcome
		var r Reason
		if json.Unmarshal([]byte(bad), &o) == nil || json.Unmarshal([]byte(bad), &r) == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	if _, err := json.Marshal(Reason(0)); err == nil {
		t.Error("the zero reason was written")
	}
	if _, err := json.Marshal(Outcome(0)); err == nil {
		t.Error("the zero outcome was written")
	}
}

func TestOnlyTheseAreHiddenOrFinal(t *testing.T) {
	for _, r := range Reasons() {
		if want := r == Watchlist || r == RandomCheck; r.Hidden() != want {
			t.Errorf("%v hidden: %v", r, r.Hidden())
		}
		if want := r == ModeEmergency || r == Obstruction || r == JournalFault; r.Final() != want {
			t.Errorf("%v final: %v", r, r.Final())
		}
	}
}

func TestOf(t *testing.T) {
	cases := []struct {
		set  []Reason
		want Outcome
	}{
		{nil, Admitted},
		{[]Reason{MovementUnchecked}, Admitted},
		{[]Reason{AccountLevel}, Referred},
		{[]Reason{AccountLevel, AccountSuspended}, Refused},
		{[]Reason{AccountSuspended, Watchlist}, Referred},
		{[]Reason{0}, Referred},
		{[]Reason{reasonEnd}, Referred},
	}
	for _, c := range cases {
		if got := Of(c.set); got != c.want {
			t.Errorf("Of(%v) = %v, want %v", c.set, got, c.want)
		}
	}
}

func TestAddKeepsASortedSet(t *testing.T) {
	var s []Reason
	for _, r := range []Reason{Forced, PassFormat, Forced, PassUnreadable} {
		s = Add(s, r)
	}
	if len(s) != 3 || s[0] != PassUnreadable || s[1] != PassFormat || s[2] != Forced {
		t.Fatalf("set %v", s)
	}
}

// TestPageListsEveryOutcomeAndReason holds docs/reasons.md to this package.
func TestPageListsEveryOutcomeAndReason(t *testing.T) {
	b, err := os.ReadFile("../../docs/reasons.md")
	if err != nil {
		t.Fatal(err)
	}
	outcomes, reasons, found := strings.Cut(string(b), "## Reasons")
	if !found {
		t.Fatal("the page has no list of reasons")
	}
	effects := map[Effect]string{Mark: "mark", Refer: "refer", Refuse: "refuse"}
	var first, second []string
	for _, o := range Outcomes() {
		first = append(first, "\n| `"+o.String()+"` | ")
	}
	for _, r := range Reasons() {
		second = append(second, "\n| `"+r.String()+"` | "+effects[r.Effect()]+" | ")
	}
	for part, want := range map[string][]string{outcomes: first, reasons: second} {
		for _, row := range want {
			if strings.Count(part, row) != 1 {
				t.Errorf("the page does not have exactly one row %q", row)
			}
		}
		if rows := strings.Count(part, "\n| `"); rows != len(want) {
			t.Errorf("the page has %d rows, the code %d", rows, len(want))
		}
	}
}
